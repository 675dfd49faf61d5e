"""What does a report of tier-latency tell, in which order? The verdict, then each tier, then what lies apart.

A brief one, for terminals, draws each distribution in a line, and leaves out what the others say already; Markdown and
the result file have it in full.
"""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Document
from synapse_perf.report.engine_rows import engine_section
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.latency_bounds import bounds_section
from synapse_perf.report.latency_contrasts import contrasts_section
from synapse_perf.report.latency_formulas import formulas_section
from synapse_perf.report.latency_histogram import histogram_section
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.latency_settings import latency_settings_section
from synapse_perf.report.latency_tables import latency_section
from synapse_perf.report.latency_tuning import tuning_section
from synapse_perf.report.latency_verdict import sentences
from synapse_perf.report.latency_waterfalls import waterfall_section
from synapse_perf.report.measurements_table import metrics_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.query_load import query_load_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.verdict import verdict_section

SHARES = ("prefill-dominates", "decode-dominates")  # of a query


def latency_sections(result: Result, *, is_brief: bool = False) -> Document:
    asked = Asked(result)
    parts = [
        verdict_section(result, sentences(asked)),
        latency_section(asked, is_brief=is_brief),
        histogram_section(asked, is_brief=is_brief),
        waterfall_section(asked, is_brief=is_brief),
        bounds_section(asked, is_brief=is_brief),
        tuning_section(asked),
        engine_section(asked),
        contrasts_section(asked, is_brief=is_brief),
        query_load_section(asked),
        metrics_section(asked.left()),  # last of those that take metrics
        formulas_section(asked) if result.plan.get("explained") or not is_brief else None,
        findings_section(_without_shares(result) if is_brief else result, is_brief=is_brief, has_notes=True),
        None if is_brief and _tells_every_target(asked) else targets_section(result),
        comparisons_section(result),
        latency_settings_section(result, is_brief=is_brief),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _without_shares(result: Result) -> Result:
    """Without the notes on what takes most of a query: the verdict and what bounds each tier have told it."""
    others = tuple(one for one in result.findings if one.id not in SHARES or one.severity != "info")
    return replace(result, findings=others) if others else result


def _tells_every_target(asked: Asked) -> bool:
    """Whether the verdict says it all: of a sample it has each figure with its limit, and none is met or missed."""
    told = {group.latency.key for group in asked.references if group.latency}
    return asked.result.subject == "sample" and all(check.metric in told for check in asked.result.checks)
