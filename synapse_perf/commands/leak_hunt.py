"""Does memory, or anything else that a process holds, grow with each model switch or each call of a function?"""

from __future__ import annotations

from typing import Annotated

import typer

from synapse_perf.commands.leak_options import CacheOptions, CallOptions, SwitchOptions
from synapse_perf.commands.leak_outside_options import OutsideOptions
from synapse_perf.commands.leak_owner_options import OwnerOptions
from synapse_perf.commands.leak_servers_options import ServerOptions
from synapse_perf.commands.options import CommonOptions, LoadOptions


def leak_hunt(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT", help="model-switch, servers, or pkg.module:function. Without any: the first two."
        ),
    ] = None,
    *,
    calling: CallOptions,
    switching: SwitchOptions,
    caching: CacheOptions,
    outside: OutsideOptions,
    serving: ServerOptions,
    owning: OwnerOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> int:
    """Hunt leaks: tell a leak from a warm-up, and where there is none, how small a leak would have been seen."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.leak_hunts import Asked, hunts_of
    from synapse_perf.commands.leak_run import LeakRun
    from synapse_perf.commands.leak_unused import check_used
    from synapse_perf.commands.profile_choice import profile_of

    check_outputs(common, owning.svg)
    baseline = load_baseline(common, "leak-hunt")
    asked = Asked(profile_of(common), calling, switching, loading, common, caching, outside, serving)
    is_named = what or outside.is_asked or caching.cache
    named = (what or []) if is_named else asked.profile.leak_hunt.functions
    check_used(named, asked)
    run = LeakRun(asked, hunts_of(named, asked), owning)
    return run.dry_run() if common.dry_run else run.measure(baseline)
