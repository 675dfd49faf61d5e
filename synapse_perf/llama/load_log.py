"""What does a llama.cpp log say about a load: the model, where it went, how it was read, and what went wrong?

Every figure is llama.cpp's own, rounded as it prints it. What the log does not say is None or empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_context import ContextFacts, read_context
from synapse_perf.llama.log_devices import Placement, read_placement
from synapse_perf.llama.log_lines import LEVEL_WARN, LogLine, is_timed, join_fragments, read_text
from synapse_perf.llama.log_loads import is_simulation, load_events, split_loads
from synapse_perf.llama.log_model import ModelFacts, read_model
from synapse_perf.llama.log_patterns import Event, find_era

__all__ = ["LoadLog", "join_fragments", "read_load", "read_loads", "read_text", "split_loads"]

COLD_SHADERS_S = 1.0  # first compilations took 5 to 31 s in public logs, libraries from the cache 0.007 to 0.052 s
_WARNINGS_KEPT = 20
# Said of models that work: none of these tells a user what to change.
_IDLE_WARNINGS = ("unused tensor", "control-looking token", "warming up the model", "special_e", "setting token '")


@dataclass(frozen=True, slots=True)
class LoadMode:
    """How the file was read: mmap, none, mlock, mmap+mlock or dio, as asked for and as it came, by the same log.

    macOS has no direct I/O and does not say so: there dio means none.
    """

    requested: str | None
    in_effect: str | None
    mlock_failed: str | None  # the reason
    direct_io_fell_back: bool
    overrides_with_mmap: bool


@dataclass(frozen=True, slots=True)
class ShaderLibrary:
    """Metal's shaders: compiled on the first start of a binary (cold), found in macOS's cache later (warm)."""

    seconds: float
    libraries: int | None
    state: str


@dataclass(frozen=True, slots=True)
class MetalFacts:
    """What only Metal says; the limit is the working set that it recommends, printed in decimal MB."""

    limit_bytes: int | None
    over_committed: bool
    shader_library: ShaderLibrary | None
    pipelines_compiled: int  # printed at debug level only


@dataclass(frozen=True, slots=True)
class LoadLog:
    """One load of one model."""

    era: str | None  # a key of log_patterns.ERAS
    build: str | None
    timed: bool
    simulated: bool  # loaded with no_alloc: only the KV caches and the compute buffers have their true sizes
    model: ModelFacts
    placement: Placement
    context: ContextFacts
    mode: LoadMode
    metal: MetalFacts
    threads: int | None
    system_info: str | None
    fit_s: float | None  # llama-server's search for a fit, as it says itself
    partial_load: tuple[int, int] | None  # tensors used, tensors in the file
    cancelled: bool
    errors: tuple[str, ...]  # llama.cpp's own words, the cause first
    warnings: tuple[str, ...]


def read_load(lines: Sequence[LogLine]) -> LoadLog:
    """What the lines of one load say."""
    events = load_events(lines)
    system = _first(events, "system_info")
    build = _first(events, "build")
    fit = _first(events, "fit_took")
    partial = _first(events, "partial")
    return LoadLog(
        era=find_era(lines),
        build=f"{build.group(0)} ({build.group(1)})" if build else None,
        timed=is_timed(lines),
        simulated=any(is_simulation(event) for event in events),
        model=read_model(events),
        placement=read_placement(events),
        context=read_context(events),
        mode=_mode(events),
        metal=_metal(events),
        threads=int(system.group(0)) if system else None,
        system_info=system.text.partition("system_info:")[2].strip() if system else None,
        fit_s=float(fit.group(0)) if fit else None,
        partial_load=(int(partial.group(0)), int(partial.group(1))) if partial else None,
        cancelled=_first(events, "cancelled") is not None,
        errors=_errors(events),
        warnings=_warnings(lines),
    )


def read_loads(lines: Sequence[LogLine]) -> list[LoadLog]:
    """One for each load in the log."""
    return [read_load(part) for part in split_loads(lines)]


def _first(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in events if event.kind == kind), None)


def _mode(events: Sequence[Event]) -> LoadMode:
    begin = _first(events, "tensors_begin")
    mlock = _first(events, "mlock_failed")
    fell_back = _first(events, "direct_io_fallback") is not None
    requested = _requested(begin.group(0) if begin else "", read_placement(events))
    in_effect = requested
    if mlock is not None and requested is not None:
        in_effect = {"mmap+mlock": "mmap", "mlock": "none"}.get(requested, requested)
    if fell_back and requested == "dio":
        in_effect = "none"
    return LoadMode(
        requested=requested,
        in_effect=in_effect,
        mlock_failed=(mlock.group(2).strip() or "no reason given") if mlock else None,
        direct_io_fell_back=fell_back,
        overrides_with_mmap=_first(events, "override") is not None,
    )


def _requested(words: str, placement: Placement) -> str | None:
    """The mode that the line "loading model tensors" names; older builds tell only by their mapped buffers."""
    values = dict(part.split(" = ", 1) for part in words.split(", ") if " = " in part)
    if "load_mode" in values:
        return values["load_mode"]
    if values.get("direct_io") == "true":
        return "dio"
    if "mmap" in values:
        return "mmap" if values["mmap"] == "true" else "none"
    return "mmap" if any(buffer.mapped for buffer in placement.buffers) else None


def _metal(events: Sequence[Event]) -> MetalFacts:
    limit = _first(events, "metal_limit")
    done = _first(events, "shaders_done")
    library = None
    if done is not None:
        seconds = float(done.group(2))
        count = int(done.group(0)) if done.group(0) else None
        library = ShaderLibrary(seconds, count, "cold" if seconds >= COLD_SHADERS_S else "warm")
    return MetalFacts(
        limit_bytes=round(float(limit.group(0)) * 1e6) if limit else None,
        over_committed=_first(events, "over_committed") is not None,
        shader_library=library,
        pipelines_compiled=sum(1 for event in events if event.kind == "pipeline"),
    )


def _errors(events: Sequence[Event]) -> tuple[str, ...]:
    """Each once; "failed to load model" names no cause, so it comes last."""
    words = list(dict.fromkeys(event.group(0).strip() for event in events if event.kind == "error"))
    return tuple(sorted(words, key=lambda text: "failed to load model" in text))


def _warnings(lines: Sequence[LogLine]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for line in lines:
        is_warning = line.level == LEVEL_WARN or (line.level is None and "warning: " in line.text)
        if is_warning and line.text.strip() and not any(words in line.text for words in _IDLE_WARNINGS):
            found[line.text.strip()] = None
            if len(found) == _WARNINGS_KEPT:
                break
    return tuple(found)
