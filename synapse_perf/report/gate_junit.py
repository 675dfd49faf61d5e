"""How does a gate read as JUnit XML? A case for each metric and target, and for what concerns the gate as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.analyze.gate_report import GateReport, GateRow, is_compared, row_code
from synapse_perf.errors import ExitCode
from synapse_perf.report.gate_document import judged_rows, verdict_text
from synapse_perf.report.junit import Case, CaseSuite, Outcome, junit_text
from synapse_perf.report.result_junit import check_case, comparison_text
from synapse_perf.units import format_percent

GROUP = "synapse-perf.gate"


def gate_junit(report: GateReport) -> str:
    """What makes the exit code 1 is a failure, what makes it 4, 6 or 130 an error; 3 is skipped cases alone."""
    properties = {"before": report.baseline, "after": report.current, "exit_code": str(int(report.exit_code))}
    output = "\n".join([verdict_text(report), *report.warnings])
    return junit_text(
        [CaseSuite("gate", tuple(_cases(report)), report.started_at, report.duration_s, properties, output)]
    )


def _cases(report: GateReport) -> Iterator[Case]:
    for row in judged_rows(report):
        yield _row_case(row, report)
    for check in report.checks:
        yield check_case(check, f"{GROUP}.targets")
    for failure in report.failures:
        yield Case(GROUP, "measured", "error", "failed", failure)
    for fault in report.faults:
        yield Case(GROUP, "waivers", "failure", "waiver", fault)
    if report.created:
        yield Case(GROUP, "baseline", "skipped", "created", verdict_text(report))
    elif not any(map(is_compared, report.rows)):
        yield Case(GROUP, "compared", "error", "not-comparable", "nothing was compared")
    if not report.has_samples:
        yield Case(GROUP, "measured", "error", "nothing-measured", "nothing was measured")
    if report.is_interrupted:
        yield Case(GROUP, "finished", "error", "interrupted", "the gate was interrupted")


def _row_case(row: GateRow, report: GateReport) -> Case:
    one, code = row.comparison, row_code(row, report.rows)
    outcomes: dict[ExitCode, Outcome] = {
        ExitCode.FAIL: "failure",
        ExitCode.NOT_COMPARABLE: "error",
        ExitCode.INCONCLUSIVE: "skipped",
    }
    is_open = bool(row.waived) or row.is_new or one.status == "inconclusive"
    outcome = outcomes.get(code, "skipped" if is_open else "passed")
    floor = f"{comparison_text(one)}; a slowdown counts from {format_percent(row.floor)}"
    waived = f"waived: {row.waived}" if row.waived else ""
    text = "\n".join(part for part in (one.reason, waived) if part)
    kind = "waived" if row.waived else "new" if row.is_new else one.status
    return Case(f"{GROUP}.metrics", one.metric, outcome, kind, floor, text)
