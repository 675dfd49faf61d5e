"""What does a saved llama.cpp log amount to, load by load, in the terms of a result?

One load is one sample, of a start whose page-cache state nobody knows: nothing here is an estimate of how long the
next one takes, and no target is judged by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from synapse_perf.analyze.longest_part import longest_part
from synapse_perf.analyze.summary import summarize
from synapse_perf.analyze.targets import Target
from synapse_perf.llama.advice_reading import LOAD_PHASES
from synapse_perf.llama.load_advice import advice
from synapse_perf.llama.load_drift import NO_LOAD_LINES
from synapse_perf.llama.load_facts import log_facts
from synapse_perf.llama.load_failure import explain
from synapse_perf.llama.load_log import LoadLog, read_load
from synapse_perf.llama.load_phases import LoadPhases, find_phases
from synapse_perf.llama.log_lines import LogLine
from synapse_perf.llama.log_loads import load_events, split_loads
from synapse_perf.llama.log_patterns import ERAS
from synapse_perf.model import Check, Failure, Finding, Json, Metric, TrialRecord
from synapse_perf.units import format_bytes, three_digits

UNKNOWN_CACHE = "unknown"
ARM = "log"
UNNAMED = "unnamed model"
NOT_TIMED = (
    "the log has no times, so it tells sizes, devices and advice only: for the phases start llama-server with "
    "'--log-prefix --log-timestamps' (since 2026 with '-lv 4' as well, as it prints no line of a load without)"
)
_NOT_JUDGED = (
    "a log shows neither a first token nor whether the file was cold: measure it with "
    "'synapse-perf profile-load MODEL', or with --server COMMAND"
)
# Any of these proves that a model was loaded, or that somebody tried.
_OF_A_LOAD = frozenset(
    (
        *("metadata_loaded", "vocabulary", "vocabulary_done", "info", "tensors_begin", "offloaded", "buffer"),
        *("context_begin", "context", "kv_total", "error", "cancelled"),
    )
)
_OF_A_CONTEXT = frozenset(("context_begin", "context", "kv_begin", "kv_total", "reserve_done", "graph", "graph_nodes"))
# Advice that speaks of the time of this very phase.
_SAME_TIME = frozenset(
    (
        ("shaders-compiled", "shader_library"),
        ("vocabulary-bound", "vocabulary"),
        ("fit-search", "fit"),
        ("weights-repacked", "data"),
    )
)
# Findings say what these mean.
_TOLD_BY_ADVICE = (
    *("failed to mlock", "mlock not supported", "recommended max working set"),
    *("alling back to buffered", "overrides to CPU are used with mmap"),
)
_SURE_ENDS = ("idle", "printed_time")  # what follows them are requests


@dataclass(frozen=True, slots=True)
class LoggedLoad:
    """One load of one model; `failure` where it came to nothing."""

    label: str
    said: LoadLog
    phases: LoadPhases
    failure: Failure | None

    @property
    def load_s(self) -> float | None:
        """Seconds from the load call to the context, as far as lines tell; None where its begin or end is missing."""
        told = self.phases.durations()
        if self.failure or self.said.simulated or "context" not in told or set(self.phases.missing) & set(LOAD_PHASES):
            return None
        return sum(told.get(name, 0.0) for name in LOAD_PHASES)


def loads_of(lines: Sequence[LogLine]) -> list[LoggedLoad]:
    """Every load in a log, in its order; empty where no line speaks of one."""
    found = [_Part.of(part) for part in split_loads(lines)]
    names = Counter[str]()
    loads = []
    for part in found:
        if part is None:
            continue
        name = _name(part.said)
        names[name] += 1
        label = name if names[name] == 1 else f"{name} #{names[name]}"
        loads.append(LoggedLoad(label, part.said, part.phases, _failure(part, label)))
    return loads


@dataclass(frozen=True, slots=True)
class _Part:
    said: LoadLog
    phases: LoadPhases
    is_complete: bool  # it says that the model is up

    @classmethod
    def of(cls, lines: Sequence[LogLine]) -> _Part | None:
        events = load_events(lines)
        if not any(event.kind in _OF_A_LOAD for event in events):
            return None
        end: int | None = None
        has_context = False
        for event in events:
            has_context = has_context or event.kind in _OF_A_CONTEXT
            if has_context and event.kind in (*_SURE_ENDS, "ready"):
                end = event.index
                if event.kind in _SURE_ENDS:
                    break
        alone = lines if end is None else lines[: end + 1]
        return cls(read_load(alone), find_phases(alone), end is not None)


def _name(said: LoadLog) -> str:
    if said.model.path:
        return PurePath(said.model.path.replace("\\", "/")).name.removesuffix(".gguf")
    return said.model.name or UNNAMED


def _failure(part: _Part, label: str) -> Failure | None:
    """A load that ends with errors and never says that it is up."""
    words = part.said.errors
    if part.is_complete or not (words or part.said.cancelled):
        return None
    message = words[0] if words else "the load was cancelled"
    known = [explain(text) for text in words if explain(text) != explain("")]
    kind, remedy = known[0] if known else ("error", "the log's last lines before the error tell more")
    return Failure(kind, message, remedy, "\n".join(words[1:]), labels={"model": label})


# --- the parts of a result -------------------------------------------------------------------------------------------


def metrics_of_load(load: LoggedLoad) -> Iterator[Metric]:
    """The load as a whole with the facts that the log tells, also where it has no times, and each phase."""
    device = load.said.placement.used_device
    labels = {"model": load.label, "cache": UNKNOWN_CACHE, **({"device": device} if device else {})}
    facts = {**log_facts(load.said), "device": device}
    samples = () if load.load_s is None else (load.load_s,)
    record = TrialRecord(ARM, 1, samples, {name: (value,) for name, value in facts.items() if value is not None})
    yield Metric("model_load_time", labels, "s", "lower", (record,), summarize([samples]))
    for phase, duration_s in load.phases.durations().items():
        if not duration_s:
            continue  # one line was all there was of it
        one = TrialRecord(ARM, 1, (duration_s,))
        yield Metric("phase_time", {**labels, "phase": phase}, "s", "lower", (one,), summarize([(duration_s,)]))


def described(load: LoggedLoad) -> dict[str, Json]:
    """The model and its settings as the log has them."""
    model, context, place = load.said.model, load.said.context, load.said.placement
    caches = context.kv_caches
    words = (model.architecture, _count(model.parameters), model.file_type)
    return {
        "file": PurePath(model.path.replace("\\", "/")).name if model.path else None,
        "size_bytes": model.size_bytes,
        "description": " ".join(word for word in words if word) or None,
        "devices": [
            f"{device.name} ({device.description})"
            + (f", {format_bytes(device.free_bytes)} free" if device.free_bytes is not None else "")
            for device in place.devices
        ],
        "settings": {
            "n_ctx": context.n_ctx,
            "n_batch": context.n_batch,
            "n_ubatch": context.n_ubatch,
            "layers_on_gpu": f"{place.layers_offloaded} of {place.layers_claimed[1]}" if place.layers_claimed else None,
            "load_mode": load.said.mode.in_effect,
            "flash_attention": context.flash_attention,
            "type_k": caches[0].type_k if caches else None,
            "type_v": caches[0].type_v if caches else None,
            "threads": load.said.threads,
            "llama_cpp_build": load.said.build,
            "log_wording": ERAS[load.said.era].partition(" (")[0] if load.said.era else None,
        },
    }


def _count(parameters: int | None) -> str | None:
    if parameters is None:
        return None
    for power, letter in ((10**9, "B"), (10**6, "M")):
        if parameters >= power:
            return f"{three_digits(parameters / power)}{letter}"
    return str(parameters)


def findings_of(load: LoggedLoad) -> list[Finding]:
    """Where most of the time went, and what the log gives reason to change."""
    advised = advice(load.said, load.phases)
    told = load.phases.durations()
    found = longest_part(told) if load.failure is None and "context" in told else None
    if found is None or _SAME_TIME & {(one.id, str(found.evidence["part"]).rpartition(".")[2]) for one in advised}:
        return advised
    return [found, *advised]


def warnings_of_loads(loads: Sequence[LoggedLoad]) -> list[str]:
    """What the log does not tell, then what llama.cpp itself warned of."""
    found = [] if any(load.said.timed for load in loads) else [NOT_TIMED]
    for load in loads:
        if load.said.timed and load.failure is None:
            found += [f"{load.label}: {text}" for text in load.phases.warnings if text != NO_LOAD_LINES]
        if load.said.simulated:
            found.append(f"{load.label}: a trial load that allocates nothing, as llama-server does to find what fits")
    for load in loads:
        words = (text.removeprefix("warning: ") for text in load.said.warnings)
        untold = (text for text in words if not any(told in text for told in _TOLD_BY_ADVICE))
        found += [f"{load.label}: llama.cpp warned: {text}" for text in untold]
    return list(dict.fromkeys(found))


def unjudged(loads: Sequence[LoggedLoad], targets: Sequence[Target]) -> tuple[Check, ...]:
    """A row for each target that a start on the devices used would be judged by, with the reason why none is."""
    used = {load.said.placement.used_device for load in loads if load.failure is None}
    return tuple(
        Check(target.id, target.metric, target.statistic, target.limit, target.unit, None, "not-measured", _NOT_JUDGED)
        for target in targets
        if target.metric == "model_startup_time" and used & set(target.labels.get("device", ()))
    )
