"""Does memory, or anything else that a process holds, grow with each model switch or each call of a function?"""

from __future__ import annotations

from typing import Annotated

import typer

from synapse_perf.commands.leak_options import CallOptions, SwitchOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions


def leak_hunt(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHAT", help="model-switch, or pkg.module:function. Without any: model-switch."),
    ] = None,
    *,
    calling: CallOptions,
    switching: SwitchOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> int:
    """Hunt leaks: tell a leak from a warm-up, and where there is none, how small a leak would have been seen."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.leak_hunts import Asked, hunts_of
    from synapse_perf.commands.leak_run import LeakRun
    from synapse_perf.profiles import load_profile

    check_outputs(common)
    baseline = load_baseline(common, "leak-hunt")
    asked = Asked(load_profile(common.profile), calling, switching, loading, common)
    run = LeakRun(asked, hunts_of(what or [], asked))
    return run.dry_run() if common.dry_run else run.measure(baseline)
