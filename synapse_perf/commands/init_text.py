"""How does a profile for what was found read? TOML with a reason at each line, to be changed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.commands.init_finding import TIERS, Found

OUTSIDE = ("service-startup", "ws-latency", "ui-fps")


def profile_text(found: Found) -> str:
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    yield "# Written by `synapse-perf init` for what was found on this machine; change what you know better."
    yield "# `synapse-perf profiles show synapse-engine` has more settings, each with its meaning."
    yield ""
    yield 'description = "What was found on this machine"'
    yield f"run = [{', '.join(json.dumps(name) for name in _commands(found))}] # in this order, by `synapse-perf run`"
    if missing := [name for name in OUTSIDE if name not in _commands(found)]:
        yield f"# add to it as soon as their parts below are filled in: {', '.join(map(json.dumps, missing))}"
    yield '# required = ["query-fast"] # targets that have to be measured: a row without a figure is then no pass'
    if found.installation:
        yield from _engine(found)
    yield ""
    yield "[sampling]"
    yield 'max_time = "10m" # of each command; --max-time of a run is shared among all of them'
    yield ""
    yield from _models(found)
    yield from _service(found)
    yield from _page(found)


def _commands(found: Found) -> list[str]:
    """Those that have something to measure; the first three always do, on samples if on nothing else."""
    commands = ["profile-load", "bench-cgrag", "tier-latency"]
    commands += ["service-startup"] if found.compose_health else []
    commands += ["ws-latency"] if found.installation else []
    return [*commands, "ui-fps"] if found.running.page or found.installation else commands


def _engine(found: Found) -> Iterator[str]:
    assert found.installation is not None
    yield ""
    yield "# Its models, llama-server's settings, the times that its own profile expects, its index and its addresses"
    yield "# are read from here at each run; whatever this file says itself stands."
    yield f"engine = {_text(found.installation.engine.directory)}"


def _models(found: Found) -> Iterator[str]:
    if found.installation and found.installation.models:
        yield "# [models] # those of the engine's registry; to name others:"
        for tier in TIERS:
            model = found.installation.models.get(tier)
            yield f"# {tier} = {_text(model.path) if model and model.path else json.dumps('...')}"
        return
    if not found.models:
        yield "# No model was found: samples are measured, which meet or miss no target. Yours by path or name:"
        yield "# [models]"
        for tier in TIERS:
            yield f'# {tier} = "~/models/..."'
        return
    yield "[models] # tiers by the engine's rules: size, bits of its weights, and words in its name"
    for tier in TIERS:
        models = found.models.get(tier, ())
        if not models:
            yield f'# {tier} = "..." # none was found'
            continue
        yield f"{tier} = {_text(models[0].path)}"
        for other in models[1:]:
            yield f"# {tier} = {_text(other.path)}"


def _service(found: Found) -> Iterator[str]:
    yield ""
    if found.compose_health and found.compose:
        yield "[service-startup]"
        yield f"compose = {_text(found.compose)}"
        yield f"service = {json.dumps(found.compose_service, ensure_ascii=False)} # with all that it waits for"
        yield f"url = {json.dumps(found.compose_health)} # of its own health check, by the port outside"
    else:
        yield "# [service-startup] # one of command, image and compose, and the URL that tells when it is ready"
        yield '# command = "python -m my_service"'
        yield f"# url = {json.dumps(found.running.health or 'http://127.0.0.1:8000/health')}"
    if not found.installation:
        yield ""
        yield "# [ws-latency]"
        yield '# url = "ws://127.0.0.1:8000/ws"'


def _page(found: Found) -> Iterator[str]:
    yield ""
    if found.running.page:
        yield "[ui-fps]"
        yield f"url = {json.dumps(found.running.page)} # it answered when this was written"
    else:
        yield "# [ui-fps]"
        yield '# url = "http://localhost:5173/"'


def _text(path: Path) -> str:
    """In quotes; below the home with ~, as profiles are made to be shared."""
    try:
        shown = f"~/{path.absolute().relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        shown = str(path.absolute())
    return json.dumps(shown, ensure_ascii=False)
