"""How do two runs differ, metric by metric?"""

from __future__ import annotations

from typing import Annotated

import typer

from synapse_perf.commands.gate_ending import GateOutput, check_gate_outputs, end_gate


def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A result file, last~1, or a baseline's name.")],
    after: Annotated[str, typer.Argument(metavar="[AFTER]", help="The same; what is judged.")] = "last",
    *,
    output: GateOutput,
) -> int:
    """Compare two runs that are already measured."""
    from synapse_perf.analyze.gate_figures import failures_of, results_of
    from synapse_perf.analyze.gate_files import newest_of, older_runs, rows_between, software_between
    from synapse_perf.analyze.gate_report import GateReport
    from synapse_perf.clock import utc_timestamp
    from synapse_perf.commands.gate_inputs import load_run, unknown_machines

    check_gate_outputs(output)
    first, second = load_run(before), load_run(after)
    rows = rows_between(first, second)
    changed = software_between(first, second)
    report = GateReport(
        method="files",
        baseline=before,
        current=after,
        rows=rows,
        effect=0.03,
        detects="what differs from session to session is in no interval here: a gate needs --against or several runs",
        started_at=utc_timestamp(),
        duration_s=0.0,
        checks=tuple(check for result in newest_of(second) for check in result.checks),
        warnings=(
            *([f"the software changed too: {', '.join(changed)}"] if changed else []),
            *unknown_machines((*results_of(first), *results_of(second))),
            *older_runs(before, first),
            *older_runs(after, second),
        ),
        failures=failures_of(second),
        has_samples=any(result.metrics for result in results_of(second)),
    )
    return end_gate(report, output)
