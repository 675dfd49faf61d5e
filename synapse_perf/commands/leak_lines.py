"""Asks which lines of one function add to the memory, before the hunt, so that a wrong name is told at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from synapse_perf.commands.measuring import carry_out
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.leak_plan import Hunt
    from synapse_perf.model import Finding, Trial

PATIENCE_S = 60.0


def line_findings(reference: str | None, hunts: Sequence[Hunt], *, quiet: bool) -> tuple[Finding, ...]:
    """The table as a finding that asks for nothing; InputError where there is none, with the reason."""
    from synapse_perf.commands.leak_hunts import parse_reference
    from synapse_perf.model import Finding

    if reference is None:
        return ()
    trial = _measured(parse_reference(reference, f"--lines {reference}"), hunts, quiet=quiet)
    if trial.failure is not None:
        raise InputError(trial.failure.message, trial.failure.remedy)
    table = trial.facts["lines"]
    evidence = {"function": reference, **table}
    cause = f"{reference}: the resident memory after each line is in the table above"
    return (Finding("line-memory", "info", cause, evidence, None, "", "", ""),)


def _measured(reference: str, hunts: Sequence[Hunt], *, quiet: bool) -> Trial:
    hunt = next((one for one in hunts if one.spec.benchmark == "leak_function"), None)
    if hunt is None:
        raise InputError(
            f"--lines {reference}: only code that is called by the hunt has lines that run",
            f"name what to call as well: leak-hunt pkg.module:function --lines {reference}",
        )
    spec = replace(
        hunt.spec,
        benchmark="leak_lines",
        arm="lines",
        labels={"hunt": hunt.name},
        samples=1,
        timeout_s=PATIENCE_S,
        workload={**hunt.spec.workload, "lines": reference, "patience_s": PATIENCE_S},
    )
    outcome = carry_out(lambda trials: None if trials else spec, 1, quiet=quiet)
    if not outcome.trials:
        raise KeyboardInterrupt
    return outcome.trials[0]
