"""What does a report of leak-hunt tell, in which order? The verdict, then each probe with its series."""

from __future__ import annotations

from synapse_perf.model import Result
from synapse_perf.report.document import Document
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.leak_table import probes_sections
from synapse_perf.report.leak_verdict import leak_verdict_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section


def leak_sections(result: Result) -> Document:
    parts = [
        leak_verdict_section(result),
        *probes_sections(result),
        findings_section(result) if result.findings else None,
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)
