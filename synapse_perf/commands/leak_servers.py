"""Which servers does leak-hunt start and stop?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from synapse_perf.analyze.leak_plan import DETECTION_ENVIRONMENT, QUIET_HEAP, Hunt
from synapse_perf.errors import InputError
from synapse_perf.model import Json, TrialSpec

if TYPE_CHECKING:
    from synapse_perf.commands.leak_hunts import Asked, Chosen
    from synapse_perf.commands.leak_servers_options import ServerOptions
    from synapse_perf.llama.settings import LoadSettings

GRACE_S = 5.0  # for what a stopped server still has to do; what is there after it is left
SHARE = 2.0  # of the time: a server takes several times as long to start as a model
# What llama_cpp.server imports beside llama_cpp; pip's extra `server` brings them.
SERVER_MODULES = ("fastapi", "uvicorn", "sse_starlette", "starlette_context", "pydantic_settings", "yaml")


def servers_hunt(asked: Asked) -> Chosen:
    """The user's command, or llama_cpp.server; raises InputError for what cannot be started."""
    from synapse_perf.commands.leak_servers_options import READY_TIMEOUT
    from synapse_perf.units import parse_duration

    options = asked.serving
    timeout_s = parse_duration(options.ready_timeout or READY_TIMEOUT)
    workload: dict[str, Json] = {
        "stops": _stops(options.stop),
        "ready_timeout_s": timeout_s,
        "grace_s": GRACE_S,
        # Of servers, which are to run as they always do.
        "environment": {name: os.environ.get(name) for name in (*DETECTION_ENVIRONMENT, *QUIET_HEAP)},
        "calls": 1,
    }
    if options.server is not None:
        return _users_server(options, workload, is_dry=asked.common.dry_run)
    if options.ready_url is not None:
        raise InputError("--ready-url: without --server there is no server of yours", "add --server COMMAND")
    return _own_server(asked, workload)


def missing_modules() -> list[str]:
    """What this interpreter lacks to run llama_cpp.server; nothing is imported."""
    from importlib.util import find_spec

    return [name for name in SERVER_MODULES if find_spec(name) is None]


def _stops(text: str | None) -> list[str]:
    from synapse_perf.benchmarks.leak_servers import KILL, PARENT, TERM

    known = {"term": TERM, "kill": KILL, "parent": PARENT}
    chosen = [part.strip() for part in text.split(",")] if text else list(known)
    for one in chosen:
        if one not in known:
            raise InputError(f"--stop {text}: '{one}' is not known", f"give some of {', '.join(known)}")
    return [known[one] for one in dict.fromkeys(chosen)]


def _users_server(options: ServerOptions, workload: dict[str, Json], *, is_dry: bool) -> Chosen:
    from synapse_perf.commands.leak_hunts import Chosen
    from synapse_perf.host.privacy import redact
    from synapse_perf.outside.model_server import is_port_taken
    from synapse_perf.outside.server_command import api_key, check_url, parse_command, readiness_urls

    assert options.server is not None
    command = parse_command(options.server)
    urls = (check_url(options.ready_url),) if options.ready_url else readiness_urls(command)
    if not is_dry and is_port_taken(urls[0]):
        raise InputError(f"something already listens at {urls[0]}", "stop it, or give --server another --port")
    workload["commands"] = [
        {
            "name": command.name,
            "words": list(command.words),
            "env": dict(command.env),
            "urls": list(urls),
            "api_key": api_key(command),
        }
    ]
    told = {"command": redact(command.shown()), "ready_urls": [redact(url) for url in urls], "stops": workload["stops"]}
    return Chosen((_hunt(workload),), {"server": told})


def _own_server(asked: Asked, workload: dict[str, Json]) -> Chosen:
    from synapse_perf.analyze.load_plan import variants
    from synapse_perf.commands.leak_hunts import Chosen
    from synapse_perf.commands.load_record import workload_of
    from synapse_perf.commands.load_request import load_request
    from synapse_perf.commands.model_choice import choose_models
    from synapse_perf.commands.profile_load import StartOptions

    if asked.common.python is None and (missing := missing_modules()):
        raise InputError(
            f"servers: llama_cpp.server needs {', '.join(missing)}, which this interpreter does not have",
            "pip install 'synapse-perf[server]', or give a server of yours with --server COMMAND",
        )
    choice = choose_models(asked.loading.model, asked.profile, quiet=asked.common.quiet)
    request = load_request(asked.profile, asked.common, asked.loading, StartOptions())
    workload["commands"] = [
        _command(model.label, variants(model, request)[0][2], request.python) for model in choice.models
    ]
    return Chosen(
        hunts=(_hunt(workload),),
        workload={**workload_of(choice.models, request), "server": {"stops": workload["stops"]}},
        subject="sample" if any(model.is_sample for model in choice.models) else "real",
        unusable=choice.unusable,
        profile_name=choice.profile_name,
    )


def _hunt(workload: dict[str, Json]) -> Hunt:
    # A switch that has begun goes through its start and its graces, however little time there was.
    last_s = float(workload["ready_timeout_s"]) + 3 * GRACE_S
    spec = TrialSpec("leak_servers", "", {}, workload, env=QUIET_HEAP)
    return Hunt("servers", "switch", spec, share=SHARE, last_s=last_s)


def _command(label: str, settings: LoadSettings, python: str | None) -> dict[str, Json]:
    """llama_cpp.server with one model; for it, address and port of the environment go before its options."""
    import sys

    from synapse_perf.benchmarks.leak_servers import PORT
    from synapse_perf.llama.settings import KV_TYPES
    from synapse_perf.outside.server_command import HEALTH, MODELS, PYTHON_SERVER

    values: dict[str, object] = {
        "model": settings.model_path,
        "host": "127.0.0.1",
        "port": PORT,
        "n_ctx": settings.n_ctx,
        "n_batch": settings.n_batch,
        "n_ubatch": settings.n_ubatch,
        "n_threads": settings.threads,
        "n_gpu_layers": 0 if settings.device == "cpu" else settings.n_gpu_layers,
        "use_mmap": settings.load_mode in ("mmap", "mlock"),
        "use_mlock": settings.load_mode == "mlock",
        "flash_attn": bool(settings.flash_attn),
        "type_k": KV_TYPES[settings.type_k],
        "type_v": KV_TYPES[settings.type_v],
    }
    words = [python or sys.executable, "-m", PYTHON_SERVER]
    for name, value in values.items():
        words += [f"--{name}", str(value)]
    return {
        "name": label,
        "words": words,
        "env": {"HOST": "127.0.0.1", "PORT": PORT},
        "urls": [f"http://127.0.0.1:{PORT}{path}" for path in (MODELS, HEALTH)],
        "api_key": None,
    }
