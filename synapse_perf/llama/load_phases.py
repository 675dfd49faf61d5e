"""What did each part of a load take, by the lines that llama.cpp's log puts between them?

Each line that means something ends a piece of work: the time since the line before it belongs to that line's phase.
Where an expected line is missing, its phase has no duration of its own; a warning names the line and who has its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_perf.llama.load_drift import MissingLine, drift_warnings, merged_into, missing_lines
from synapse_perf.llama.log_lines import LogLine
from synapse_perf.llama.log_loads import load_events
from synapse_perf.llama.log_patterns import Event, find_era

NANOSECONDS = 1e-9
BETWEEN_CALLS = ""  # the caller's own time between two calls; belongs to no phase

# The work that a line ends: phase, and part of the phase where it has a name.
_ENDS: dict[str, tuple[str, str]] = {
    "build": ("start_up", ""),
    "server_load": ("start_up", ""),
    "fit": ("fit", ""),
    "fit_took": ("fit", ""),
    "metadata_loaded": ("metadata", ""),
    "splits": ("metadata", ""),
    "metadata": ("metadata", ""),
    "vocabulary": ("vocabulary", ""),
    "vocabulary_done": ("vocabulary", ""),
    "info": ("vocabulary", ""),
    "vocabulary_only": ("vocabulary", ""),
    "tensors_begin": ("vocabulary", ""),
    "offloading": ("tensors", "allocation"),
    "offloaded": ("tensors", "allocation"),
    "context_begin": ("context", ""),
    "context": ("context", ""),
    "kv_begin": ("context", ""),
    "kv_total": ("context", "kv_cache"),
    "state_total": ("context", "kv_cache"),
    "reserve_begin": ("context", ""),
    "flash_attention": ("context", "graph"),
    "graph": ("context", "graph"),
    "graph_nodes": ("context", "graph"),
    "graph_splits": ("context", "graph"),
    "reserve_done": ("context", "graph"),
    "warm_up": ("context", ""),
    "ready": ("server", ""),
    "idle": ("server", ""),
}
_BUFFER_ENDS = {
    "model": ("tensors", "allocation"),
    "KV": ("context", "kv_cache"),
    "RS": ("context", "kv_cache"),
    "compute": ("context", "graph"),
}
_METAL = frozenset(("shaders_begin", "shaders_part", "shaders_done", "metal", "metal_name", "metal_limit"))
_GPU = frozenset(("gpus_found", "gpu_listed", "backend_loaded", "device"))
_BEGINS = {"metadata_loaded": 1, "tensors_begin": 2}
_STAGES = {"metadata": 1, "vocabulary": 1, "tensors": 2, "context": 3, "warm_up": 4, "server": 4}


@dataclass(frozen=True, slots=True)
class LoadPhases:
    """Spans in ns on the log's clock, in order of time and without overlap; "context.kv_cache" lies within "context".

    A phase named in `missing` had no line of its own; its time is in the phase that the warning names.
    """

    spans: tuple[tuple[str, int, int], ...]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    era: str | None

    def duration_s(self, name: str) -> float | None:
        """Seconds of a phase or of a part of one; None where the log does not tell."""
        return self.durations().get(name)

    def durations(self) -> dict[str, float]:
        """Seconds by name, in the order of their first span; a name with several spans has their sum."""
        sums: dict[str, int] = {}
        for name, start, end in self.spans:
            sums[name] = sums.get(name, 0) + end - start
        return {name: nanoseconds * NANOSECONDS for name, nanoseconds in sums.items()}


@dataclass(frozen=True, slots=True)
class _Mark:
    """The end of a piece of work."""

    time_ns: int
    phase: str
    part: str


def find_phases(
    lines: Sequence[LogLine],
    *,
    call_start_ns: int | None = None,
    load_end_ns: int | None = None,
    context_start_ns: int | None = None,
    context_end_ns: int | None = None,
    progress: Iterable[tuple[int, float]] = (),
) -> LoadPhases:
    """The phases of one load; the stamps of the calls and of the progress callback sharpen what the lines tell.

    Without stamps (a saved log) the span is that of the log's own times, with what comes before and after the load:
    start_up, fit, device, warm_up, server. A log without times has no spans; one with several loads is split first.
    """
    events = load_events(lines)
    calls = _Calls(call_start_ns, load_end_ns, context_start_ns, context_end_ns)
    era = find_era(lines)
    gaps = missing_lines(events, era, has_context=calls.has_context(), has_end=load_end_ns is not None)
    first_ns = next((line.time_ns for line in lines if line.time_ns is not None), None)
    start_ns = first_ns if call_start_ns is None else call_start_ns
    spans: list[tuple[str, int, int]] = []
    if start_ns is not None:
        marks = [*_line_marks(events, lines, start_ns, load_end_ns is not None), *calls.marks(progress)]
        marks.sort(key=lambda mark: mark.time_ns)  # stable: lines of one stamp keep their order
        marks = [mark for mark in marks if context_end_ns is None or mark.time_ns <= context_end_ns]
        spans = _spans(start_ns, [_renamed(mark, gaps) for mark in marks])
    return LoadPhases(
        spans=tuple(spans),
        missing=tuple(gap.phase for gap in gaps),
        warnings=tuple(drift_warnings(gaps)),
        era=era,
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    """Where the caller's stamps of the load call and of the context call lie."""

    start_ns: int | None
    load_end_ns: int | None
    context_start_ns: int | None
    context_end_ns: int | None

    def has_context(self) -> bool | None:
        """Whether a context was made; None where only the log can tell."""
        if self.context_end_ns is not None:
            return True
        return False if self.load_end_ns is not None else None

    def marks(self, progress: Iterable[tuple[int, float]]) -> list[_Mark]:
        marks = []
        first = next(iter(progress), None)
        if first is not None:
            marks.append(_Mark(first[0], "tensors", "allocation"))
        if self.load_end_ns is not None:
            marks.append(_Mark(self.load_end_ns, "tensors", "data"))
        if self.context_start_ns is not None:
            marks.append(_Mark(self.context_start_ns, BETWEEN_CALLS, ""))
        if self.context_end_ns is not None:
            marks.append(_Mark(self.context_end_ns, "context", ""))
        return marks


def _line_marks(events: Sequence[Event], lines: Sequence[LogLine], start_ns: int, has_load_end: bool) -> list[_Mark]:
    marks: list[_Mark] = []
    stage = 0
    pending_shaders = False
    for event in events:
        stage = max(stage, _BEGINS.get(event.kind, 0))
        end = _end_of(event, stage, marks, pending_shaders)
        if event.kind in _METAL:
            pending_shaders = event.kind == "shaders_begin" or (pending_shaders and event.kind == "shaders_part")
        if event.kind in ("context_begin", "context") and stage < 3:
            # The first line of the context: what came before it was still the tensors' data.
            end = ("context", "") if has_load_end else ("tensors", "data")
            stage = 3
        if end is None:
            continue
        stage = max(stage, _STAGES.get(end[0], 0))
        if event.time_ns is not None and event.time_ns >= start_ns:
            marks.append(_Mark(event.time_ns, *end))
        if event.kind == "warm_up":
            stage = 4
            marks += _warm_up_end(event, lines)
        if event.kind == "idle" and stage == 4:
            break  # up and waiting: what follows are requests
    return marks


def _end_of(event: Event, stage: int, marks: Sequence[_Mark], pending_shaders: bool) -> tuple[str, str] | None:
    """The work that ends with this line; None where that is not said by it."""
    if event.kind in _METAL or event.kind in _GPU:
        is_library = event.kind in ("shaders_part", "shaders_done") or (event.kind == "metal_name" and pending_shaders)
        return _device_end(stage, "shader_library" if is_library else "")
    if event.kind == "info" and event.group(0).startswith("file "):
        return ("metadata", "")
    if event.kind == "buffer":
        return _BUFFER_ENDS.get(event.group(1).strip() or "model", ("context", ""))
    if event.kind == "kv_begin" and marks and marks[-1].part == "device":
        return ("context", "device")
    if event.kind == "system_info":
        return ("start_up", "") if stage == 0 else None
    if event.kind in ("ready", "idle") and stage < 3:
        return None
    if event.kind in ("error", "cancelled"):
        return _failed_in(stage, marks)
    return _ENDS.get(event.kind)


def _failed_in(stage: int, marks: Sequence[_Mark]) -> tuple[str, str] | None:
    """The phase that a failure ended."""
    if stage < 2:
        return (marks[-1].phase if stage == 1 and marks else "metadata", "")
    return {2: ("tensors", ""), 3: ("context", "")}.get(stage)


def _device_end(stage: int, part: str) -> tuple[str, str]:
    """Back ends start before the file is opened since 2026; before that CUDA and Metal may do so at a later moment."""
    if stage < 2:
        return ("device" if stage == 0 else "device_choice", part)
    return ("tensors" if stage == 2 else "context", part or "device")


def _warm_up_end(event: Event, lines: Sequence[LogLine]) -> list[_Mark]:
    """The warm-up lasts until somebody else speaks: ggml itself tells of pipelines and buffers meanwhile."""
    for line in lines[event.index + 1 :]:
        if line.time_ns is not None and not line.text.startswith("ggml_"):
            return [_Mark(line.time_ns, "warm_up", "")]
    return []


def _renamed(mark: _Mark, gaps: Sequence[MissingLine]) -> _Mark:
    """A phase without its line gives its time to a neighbour, a part of one to the phase as a whole."""
    phase = merged_into(mark.phase, gaps)
    if phase != mark.phase:
        return _Mark(mark.time_ns, phase, "")
    is_missing = any(gap.phase == f"{mark.phase}.{mark.part}" for gap in gaps)
    return _Mark(mark.time_ns, phase, "" if is_missing else mark.part)


def _spans(start_ns: int, marks: Sequence[_Mark]) -> list[tuple[str, int, int]]:
    """Phases and, after each, its named parts; adjoining pieces of one name are one span."""
    phases: list[tuple[str, int, int]] = []
    parts: list[list[tuple[str, int, int]]] = []
    previous_ns = start_ns
    for mark in marks:
        end_ns = max(mark.time_ns, previous_ns)
        if phases and phases[-1][0] == mark.phase:
            phases[-1] = (mark.phase, phases[-1][1], end_ns)
        else:
            phases.append((mark.phase, previous_ns, end_ns))
            parts.append([])
        if mark.part:
            name = f"{mark.phase}.{mark.part}"
            if parts[-1] and parts[-1][-1][0] == name and parts[-1][-1][2] == previous_ns:
                parts[-1][-1] = (name, parts[-1][-1][1], end_ns)
            else:
                parts[-1].append((name, previous_ns, end_ns))
        previous_ns = end_ns
    return [span for phase, inner in zip(phases, parts, strict=True) if phase[0] for span in (phase, *inner)]
