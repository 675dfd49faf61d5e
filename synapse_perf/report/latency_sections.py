"""What does a report of tier-latency tell, in which order? The verdict, then each tier, then what lies apart."""

from __future__ import annotations

from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Document
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.latency_contrasts import contrasts_section
from synapse_perf.report.latency_histogram import histogram_section
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.latency_tables import latency_section
from synapse_perf.report.latency_verdict import sentences
from synapse_perf.report.latency_waterfalls import waterfall_section
from synapse_perf.report.measurements_table import metrics_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.verdict import verdict_section


def latency_sections(result: Result) -> Document:
    asked = Asked(result)
    parts = [
        verdict_section(result, sentences(asked)),
        latency_section(asked),
        histogram_section(asked),
        waterfall_section(asked),
        contrasts_section(asked),
        metrics_section(asked.left()),  # last of those that take metrics
        findings_section(result),
        targets_section(result),
        comparisons_section(result),
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)
