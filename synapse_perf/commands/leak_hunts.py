"""Which hunts does the command line ask for?

A new kind of hunt is a function here that makes `Chosen` out of what was asked, an entry in `NAMED` (or a test in
`hunts_of`, for one that is told by the form of its argument or by an option), and a benchmark module with a step for
benchmarks/leak_loop.py. Looks, verdict, report and exit code follow by themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.leak_plan import QUIET_HEAP, Hunt
from synapse_perf.errors import InputError
from synapse_perf.model import Failure, Json, Subject, TrialSpec

if TYPE_CHECKING:
    from synapse_perf.analyze.leak_cache import KeyUse
    from synapse_perf.commands.leak_options import CacheOptions, CallOptions, SwitchOptions
    from synapse_perf.commands.leak_outside_options import OutsideOptions
    from synapse_perf.commands.leak_servers_options import ServerOptions
    from synapse_perf.commands.options import CommonOptions, LoadOptions
    from synapse_perf.profiles import Profile

RELEASES = ("close", "del", "cycle")
_EXAMPLE = "write pkg.module:function, such as app.cache:lookup, or one of: model-switch, servers"
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a hunt may be made of."""

    profile: Profile
    calling: CallOptions
    switching: SwitchOptions
    loading: LoadOptions
    common: CommonOptions
    caching: CacheOptions
    outside: OutsideOptions
    serving: ServerOptions


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is hunted, what is told of it in the result, and what could not be taken along."""

    hunts: tuple[Hunt, ...]
    workload: Mapping[str, Json]
    subject: Subject = "real"
    unusable: tuple[Failure, ...] = ()
    profile_name: str = ""
    warnings: tuple[str, ...] = field(default=())
    caches: tuple[str, ...] = ()  # the functions that are asked for new keys and for known ones
    key_use: KeyUse | None = None


def hunts_of(what: Sequence[str], asked: Asked) -> Chosen:
    """Everything that was named, as one run; raises InputError for what is none."""
    is_told = asked.outside.is_asked or asked.caching.cache
    names = tuple(dict.fromkeys(what or (() if is_told else DEFAULT)))
    left_out = _left_out(asked) if names == DEFAULT and not what else ()
    if asked.serving.is_asked_for and SERVERS not in names:
        raise InputError("--server and what goes with it: no server is hunted", "add 'servers' to what is hunted")
    parts = [_one(name, asked) for name in names if not (left_out and name == SERVERS)]
    parts += [_caches(asked)] if asked.caching.cache else []
    parts += [_outside(asked)] if asked.outside.is_asked else []
    return Chosen(
        hunts=tuple(hunt for part in parts for hunt in part.hunts),
        workload=_merged(parts),
        subject="sample" if any(part.subject == "sample" for part in parts) else "real",
        unusable=tuple({failure.message: failure for part in parts for failure in part.unusable}.values()),
        profile_name=next((part.profile_name for part in parts if part.profile_name), asked.profile.name),
        warnings=(*left_out, *(warning for part in parts for warning in part.warnings)),
        caches=tuple(name for part in parts for name in part.caches),
        key_use=next((part.key_use for part in parts if part.key_use), None),
    )


def _left_out(asked: Asked) -> tuple[str, ...]:
    """Why servers are no part of a run that named nothing: what llama_cpp.server needs is an extra."""
    from synapse_perf.commands.leak_servers import missing_modules

    if asked.serving.server or asked.common.python or not (missing := missing_modules()):
        return ()
    return (f"servers are left out: llama_cpp.server needs {', '.join(missing)}: pip install 'synapse-perf[server]'",)


def _merged(parts: Sequence[Chosen]) -> dict[str, Json]:
    """Everything that is told of the parts; of several functions all."""
    merged: dict[str, Json] = {}
    for part in parts:
        for key, value in part.workload.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


def _outside(asked: Asked) -> Chosen:
    from synapse_perf.commands.leak_outside import outside_hunts
    from synapse_perf.commands.leak_run import max_time_of

    hunts, told = outside_hunts(asked.outside, max_time_of(asked))
    return Chosen(hunts, {"running": told})


def _one(name: str, asked: Asked) -> Chosen:
    if name in NAMED:
        return NAMED[name](asked)
    return _function(parse_reference(name, name), asked)


def parse_reference(text: str, told: str) -> str:
    """Check ``pkg.module:function``; `told` is how the user wrote it, with its option."""
    module, colon, attribute = text.strip().partition(":")
    if module.endswith(".py") or "/" in module:
        dotted = ".".join(part for part in module.removesuffix(".py").split("/") if part not in ("", ".", ".."))
        raise InputError(
            f"{told}: '{module}' is a file, not a module",
            f"write {dotted}:{attribute or 'function'}, and start in the folder that holds {dotted.split('.')[0]}",
        )
    if not colon or not attribute:
        raise InputError(f"{told}: neither a hunt that is known nor a function", _EXAMPLE)
    wrong = next((part for part in (*module.split("."), *attribute.split(".")) if not part.isidentifier()), None)
    if wrong is not None:
        raise InputError(f"{told}: '{wrong}' cannot be a name in Python", _EXAMPLE)
    return f"{module}:{attribute}"


def parse_arguments(texts: Sequence[str]) -> tuple[list[Json], dict[str, Json]]:
    """By place and by name: ``3`` is a number, ``"3"`` and ``abc`` are text, ``size=3`` goes by its name."""
    placed: list[Json] = []
    named: dict[str, Json] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and _NAME.fullmatch(name):
            named[name] = _value(value)
        elif named:
            raise InputError(f"--arg {text}: it has no name, but comes after one that has", "give it before them")
        else:
            placed.append(_value(text))
    return placed, named


def _value(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _function(reference: str, asked: Asked) -> Chosen:
    from synapse_perf.commands.load_request import interpreter

    placed, named = parse_arguments(asked.calling.arg)
    roles = {"setup": asked.calling.setup, "teardown": asked.calling.teardown}
    around = {role: parse_reference(text, f"--{role} {text}") for role, text in roles.items() if text}
    spec = TrialSpec(
        benchmark="leak_function",
        arm="",
        labels={},
        workload={
            "function": reference,
            "arguments": placed,
            "keywords": named,
            "calls": asked.calling.calls,
            **around,
        },
        python=interpreter(asked.common.python),
        cwd=str(Path.cwd()),
    )
    # Arguments may be private: that there are some is told, not which.
    told: dict[str, Json] = {**around, "arguments": len(placed) + len(named)} if around or placed or named else {}
    return Chosen((Hunt(reference, "call", spec),), {"functions": {reference: told}})


def _caches(asked: Asked) -> Chosen:
    """Each function with the call options of any function; a key is the first argument after what the setup gave."""
    from synapse_perf.commands.leak_cache import cache_hunts, key_use_of

    options, use = asked.caching, key_use_of(asked.caching)
    functions = [_function(parse_reference(name, f"--cache {name}"), asked) for name in dict.fromkeys(options.cache)]
    return Chosen(
        hunts=tuple(one for function in functions for one in cache_hunts(function.hunts[0], options)),
        workload={"caches": _merged(functions)["functions"], "keys": use.told()},
        caches=tuple(function.hunts[0].name for function in functions),
        key_use=use,
    )


def _model_switch(asked: Asked) -> Chosen:
    from synapse_perf.analyze.load_plan import variants
    from synapse_perf.commands.load_record import workload_of
    from synapse_perf.commands.load_request import load_request
    from synapse_perf.commands.model_choice import choose_models
    from synapse_perf.commands.profile_load import StartOptions

    choice = choose_models(asked.loading.model, asked.profile, quiet=asked.common.quiet)
    request = load_request(asked.profile, asked.common, asked.loading, StartOptions())
    settings = [variants(model, request)[0][2].as_workload() for model in choice.models]
    hunts = [
        Hunt(
            f"model-switch, {release}" if release != RELEASES[0] else "model-switch",
            "switch",
            TrialSpec(
                benchmark="leak_model_switch",
                arm="",
                labels={},
                workload={"models": settings, "release": release, "calls": 1},
                python=request.python,
                env={**QUIET_HEAP, **request.env},
            ),
        )
        for release in _releases(asked.switching.release)
    ]
    is_sample = any(model.is_sample for model in choice.models)
    return Chosen(
        hunts=tuple(hunts),
        workload=workload_of(choice.models, replace(request, load_modes=request.load_modes[:1])),
        subject="sample" if is_sample else "real",
        unusable=choice.unusable,
        profile_name=choice.profile_name,
    )


def _releases(text: str | None) -> list[str]:
    chosen = [part.strip() for part in text.split(",")] if text else list(RELEASES)
    for one in chosen:
        if one not in RELEASES:
            raise InputError(f"--release {text}: '{one}' is not known", f"give some of {', '.join(RELEASES)}")
    return list(dict.fromkeys(chosen))


def _servers(asked: Asked) -> Chosen:
    from synapse_perf.commands.leak_servers import servers_hunt

    return servers_hunt(asked)


SERVERS = "servers"
NAMED: Mapping[str, Callable[[Asked], Chosen]] = {"model-switch": _model_switch, SERVERS: _servers}
DEFAULT = ("model-switch", SERVERS)
