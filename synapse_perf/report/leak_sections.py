"""What does a report of leak-hunt tell, in which order? The verdict, then each probe with its series."""

from __future__ import annotations

from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Document
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.leak_cache import cache_sections, without_cache_notes
from synapse_perf.report.leak_lines import leak_lines_sections
from synapse_perf.report.leak_owner import leak_owner_section, without_told_evidence
from synapse_perf.report.leak_ranking import ranking_section
from synapse_perf.report.leak_running import leak_running_sections
from synapse_perf.report.leak_table import probes_sections
from synapse_perf.report.leak_verdict import leak_verdict_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section

ROWS_AT_MOST = 6  # against a baseline; of more probes the unchanged ones are counted


def leak_sections(result: Result) -> Document:
    parts = [
        leak_verdict_section(result),
        leak_owner_section(result),
        *leak_running_sections(result),
        *leak_lines_sections(result),
        ranking_section(result),
        *cache_sections(result),
        *probes_sections(result),
        findings_section(asked) if (asked := without_told_evidence(without_cache_notes(result))).findings else None,
        comparisons_section(result, ROWS_AT_MOST),
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)
