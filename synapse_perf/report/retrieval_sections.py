"""What does a report of bench-cgrag tell, in which order? The verdict first, then cold, warm, and what was tried.

A brief one, for terminals, has every number that decides; pictures of numbers, what made no difference and facts that
ask for nothing are in Markdown and in the result file in full.
"""

from __future__ import annotations

from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Document
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.measurements_table import metrics_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.retrieval_caches import caches_section
from synapse_perf.report.retrieval_ledger import cold_section
from synapse_perf.report.retrieval_load import load_section
from synapse_perf.report.retrieval_openings import openings_section
from synapse_perf.report.retrieval_recall import recall_section
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.report.retrieval_settings import retrieval_settings_section
from synapse_perf.report.retrieval_stages import warm_section
from synapse_perf.report.retrieval_tuning import tuning_section
from synapse_perf.report.retrieval_variants import no_difference, retrieval_variants_section
from synapse_perf.report.retrieval_verdict import sentences
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.verdict import verdict_section


def retrieval_sections(result: Result, *, is_brief: bool = False) -> Document:
    measured = Measured(result)
    same = no_difference(measured) if is_brief else ""
    parts = [
        verdict_section(result, sentences(result, measured)),
        cold_section(measured, is_brief=is_brief),
        warm_section(measured, is_brief=is_brief, below=same),
        openings_section(measured, is_brief=is_brief),
        None if same else retrieval_variants_section(measured),
        recall_section(measured),
        tuning_section(measured, result),
        load_section(measured),
        caches_section(measured),
        metrics_section(measured.left()),  # last of those that take metrics
        findings_section(result, is_brief=is_brief, has_notes=True),
        None if is_brief and _tells_every_target(result) else targets_section(result),
        comparisons_section(result),
        retrieval_settings_section(result, is_brief=is_brief),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _tells_every_target(result: Result) -> bool:
    """Whether the verdict says it all: of a sample it has each figure with its limit, and none is met or missed."""
    return result.subject == "sample" and all(check.observed is not None for check in result.checks)
