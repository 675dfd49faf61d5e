"""What does a llama.cpp log say that somebody has already? profile-load --from-log: nothing is loaded or timed."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from synapse_perf.commands.conclude import Ending, conclude
from synapse_perf.commands.load_explain import SEVERITIES, about
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.logged_loads import LoggedLoad
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.model import Environment, Finding, Json, Result
    from synapse_perf.profiles import Profile

STDIN = "-"
PROFILE = "log"
READ_AT_MOST = 64 << 20  # a load is a few hundred lines; a server's log of weeks is mostly requests
_NAME_ONE = "name the log of llama.cpp or llama-server, or - for what is piped in"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # a log redirected on Windows
_MAGICS = {
    b"GGUF": "a GGUF model, not a log: run 'synapse-perf profile-load' on it",
    b"\x1f\x8b": "compressed: unpack it first, such as with 'gunzip -c FILE | synapse-perf profile-load --from-log -'",
    b"\x28\xb5\x2f\xfd": "compressed: unpack it first, such as with 'zstd -dc FILE | ... --from-log -'",
}


def profile_log(source: str, options: CommonOptions, profile: Profile, baseline: Result | None) -> int:
    """Read the log, explain it, report; the exit code."""
    from synapse_perf.analyze.logged_loads import loads_of
    from synapse_perf.clock import utc_timestamp
    from synapse_perf.llama.load_drift import NO_LOAD_LINES
    from synapse_perf.llama.log_lines import read_text

    started_at, started_s = utc_timestamp(), time.monotonic()
    content, is_whole = read_log(source)
    text = decode(content, _shown(source))
    loads = loads_of(read_text(text))
    if not loads:
        remedy = NO_LOAD_LINES.partition("; ")[2]
        raise InputError(f"{_shown(source)}: no line of a model load by llama.cpp", remedy)
    result = _result(loads, source, content, options, profile, started_at, started_s, is_whole)
    return conclude(result, baseline, options, Ending(required=profile.required))


def tell_plan(source: str, options: CommonOptions) -> int:
    """What a dry run says: that a file would be read."""
    import typer

    from synapse_perf.report.plan import DryRun, PlanStep, render_plan

    size = 0 if source == STDIN else len(read_log(source)[0])
    step = PlanStep(f"read {_shown(source)}", 1, None, size)
    outputs = tuple(str(path) for path in options.output)
    typer.echo(render_plan(DryRun("profile-load", PROFILE, (step,), outputs), options.format), nl=False)
    return 0


# --- reading ---------------------------------------------------------------------------------------------------------


def read_log(source: str) -> tuple[bytes, bool]:
    """The log, and whether that is all of it; raises InputError for what cannot be read."""
    if source == STDIN:
        if sys.stdin.isatty():
            raise InputError(
                "--from-log - reads stdin, but nothing is piped into it", "such as: ... 2>&1 | synapse-perf"
            )
        return _read(sys.stdin.buffer)
    try:
        with Path(source).open("rb") as stream:
            return _read(stream)
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file", _NAME_ONE) from error
    except IsADirectoryError as error:
        raise InputError(f"{source}: a directory, not a log", _NAME_ONE) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}", _NAME_ONE) from error


def _read(stream: BinaryIO) -> tuple[bytes, bool]:
    content = stream.read(READ_AT_MOST + 1)
    return content[:READ_AT_MOST], len(content) <= READ_AT_MOST


def decode(content: bytes, name: str) -> str:
    """The text of a log; raises InputError for what is none."""
    for magic, words in _MAGICS.items():
        if content.startswith(magic):
            told, _, remedy = words.partition(": ")
            raise InputError(f"{name}: {told}", remedy)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"{name}: it is empty", _NAME_ONE)
    if "\0" in text:
        raise InputError(f"{name}: binary, not a log", _NAME_ONE)
    return text


def _shown(source: str) -> str:
    return "stdin" if source == STDIN else source


# --- the result ------------------------------------------------------------------------------------------------------


def _result(
    loads: Sequence[LoggedLoad],
    source: str,
    content: bytes,
    options: CommonOptions,
    profile: Profile,
    started_at: str,
    started_s: float,
    is_whole: bool,
) -> Result:
    from synapse_perf.analyze.logged_loads import metrics_of_load, unjudged, warnings_of_loads
    from synapse_perf.analyze.targets import parse_target_option, with_limits
    from synapse_perf.analyze.verdict import overall_verdict
    from synapse_perf.model import Result

    targets = with_limits({**profile.targets, **dict(parse_target_option(text) for text in options.target)})
    checks = unjudged(loads, targets)
    warnings = warnings_of_loads(loads)
    if not is_whole:
        warnings.insert(0, f"only the first {READ_AT_MOST >> 20} MiB of the log were read")
    return Result(
        benchmark="profile-load",
        subject="real",
        profile=PROFILE,
        started_at=started_at,
        duration_s=time.monotonic() - started_s,
        workload=_workload(loads, source, content),
        plan={},
        environment=_environment(loads),
        metrics=tuple(metric for load in loads for metric in metrics_of_load(load)),
        checks=checks,
        comparisons=(),
        warnings=tuple(warnings),
        failures=tuple(load.failure for load in loads if load.failure is not None),
        verdict=overall_verdict(checks, required=profile.required),
        findings=_findings(loads),
    )


def _workload(loads: Sequence[LoggedLoad], source: str, content: bytes) -> dict[str, Json]:
    from synapse_perf.analyze.logged_loads import described

    models = {load.label: described(load) for load in loads}
    text = json.dumps(models, sort_keys=True)
    return {
        "models": models,
        "log": {
            "file": _shown(source) if source == STDIN else Path(source).name,
            "size_bytes": len(content),
            "digest": hashlib.sha256(content).hexdigest()[:16],
        },
        "digest": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _environment(loads: Sequence[LoggedLoad]) -> Environment:
    """What the log says of the machine that it comes from, which need not be this one."""
    from synapse_perf.host.environment import digest
    from synapse_perf.model import Environment

    gpus = dict.fromkeys(device.description for load in loads for device in load.said.placement.devices)
    systems = dict.fromkeys(load.said.system_info for load in loads if load.said.system_info)
    builds = dict.fromkeys(load.said.build for load in loads if load.said.build)
    hardware: dict[str, Json] = {"known_by": "the log", "gpus": list(gpus), "system_info": list(systems)}
    software: dict[str, Json] = {"llama_cpp_builds": list(builds)}
    return Environment(
        hardware_class={"digest": digest(hardware), **hardware},
        software_class={"digest": digest(software), **software},
        volatile={},
        git={},
    )


def _findings(loads: Sequence[LoggedLoad]) -> tuple[Finding, ...]:
    from synapse_perf.analyze.logged_loads import findings_of

    found = [about(load.label, finding) for load in loads for finding in findings_of(load)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
