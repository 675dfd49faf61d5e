"""Where does the time go between the spawn of a process and the first token of a model, and what would shorten it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from synapse_perf.commands.load_elsewhere import ElsewhereOptions, profile_elsewhere
from synapse_perf.commands.options import OUTPUT, CommonOptions, LoadOptions, option

STARTS = "Which starts"


@dataclass(frozen=True, slots=True)
class StartOptions:
    """Which starts of the models are measured."""

    load_mode: Annotated[
        str | None,
        option("mmap, read, mlock, direct: a list, or 'all'; interleaved. The first is judged.", "--load-mode", STARTS),
    ] = None
    repack: Annotated[
        str | None,
        option("on, off: rewrite weights for this CPU while loading? A list compares.", "--repack", STARTS),
    ] = None
    cache: Annotated[
        Literal["cold", "warm", "both"] | None, option("Page cache before each start.", "--cache", STARTS)
    ] = None
    parallel: Annotated[
        bool | None,
        option("Also load all models at once, against one after another.", "--parallel/--no-parallel", STARTS),
    ] = None
    fit: Annotated[
        bool, option("Also tell what fits into memory, checked by one more load a model.", "--fit/--no-fit", STARTS)
    ] = True
    rpc: Annotated[
        list[str] | None,
        option("Add the devices of a llama.cpp RPC server.", "--rpc", STARTS, metavar="HOST:PORT"),
    ] = None
    log: Annotated[Path | None, option("Write llama.cpp's log of every start to this file.", "--log", OUTPUT)] = None


def profile_load(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Paths, names from 'models list', or tiers of the profile."),
    ] = None,
    *,
    elsewhere: ElsewhereOptions,
    starts: StartOptions,
    loading: LoadOptions,
    common: CommonOptions,
) -> int:
    """Profile the start of GGUF models: spawn to first token, phase by phase, cold and warm, with what bounds it."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.device_choice import check_device
    from synapse_perf.commands.load_request import load_request
    from synapse_perf.commands.load_run import LoadRun
    from synapse_perf.commands.profile_choice import profile_of

    check_outputs(common, starts.log)
    baseline = load_baseline(common, "profile-load")
    profile = profile_of(common)
    names = (*(models or ()), *loading.model)
    if elsewhere.is_asked_for:
        return profile_elsewhere(elsewhere, names, starts, loading, common, profile, baseline)
    request = load_request(profile, common, loading, starts)
    check_device(request.device, request.rpc_servers, request.python)
    run = LoadRun(profile, request, common, names=names, log_path=starts.log, wants_fit=starts.fit)
    return run.dry_run() if common.dry_run else run.measure(baseline)
