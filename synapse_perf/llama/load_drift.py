"""Which lines that a load always prints are missing from this log, and what can then not be told?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_patterns import E24, E25, Event

NO_LOAD_LINES = (
    "the log has no line of a model load; llama-server since 2026 prints them only with -lv 4: start it with "
    "'-lv 4 --log-prefix --log-timestamps'"
)
_ORDER = ("metadata", "vocabulary", "tensors", "context")


@dataclass(frozen=True, slots=True)
class MissingLine:
    """A phase (or a part, with a dot) whose line is not there."""

    phase: str
    line: str  # empty where the log ends before the phase


def drift_warnings(gaps: Sequence[MissingLine]) -> list[str]:
    """What is missing, and where each phase's time went."""
    warnings = []
    for gap in gaps:
        whole, _, part = gap.phase.partition(".")
        into = merged_into(whole, gaps)
        if not gap.line and into != whole:
            warnings.append(f"the log ends before the {whole} of this load")
            break  # nor is there anything of what comes later
        if part:
            warnings.append(f"the log has no line '{gap.line}': {gap.phase} cannot be told from the rest of {whole}")
        elif into == whole:
            return [NO_LOAD_LINES]
        else:
            warnings.append(f"the log has no line '{gap.line}': the time of {whole} is in {into}")
    return warnings


def missing_lines(
    events: Sequence[Event], era: str | None, *, has_context: bool | None, has_end: bool
) -> list[MissingLine]:
    """The expected lines that this log lacks; nothing is expected behind a failure or a load of the vocabulary only.

    has_context: whether a context was made, None if only the log can tell; has_end: whether the end of the load call
    is known without the log.
    """
    kinds = {event.kind for event in events}
    buffers = {event.group(1).strip() or "model" for event in events if event.kind == "buffer"}
    reached = _furthest(kinds, buffers)
    failed = bool(kinds & {"error", "cancelled"})
    missing: list[MissingLine] = []

    def expect(phase: str, is_there: bool, line: str) -> None:
        place = _ORDER.index(phase.partition(".")[0])
        behind_failure = failed and place >= reached
        if not is_there and not behind_failure:
            missing.append(MissingLine(phase, line if place <= reached or has_end else ""))

    expect("metadata", "metadata_loaded" in kinds, "loaded meta data with ... key-value pairs")
    expect("vocabulary", "vocabulary_done" in kinds, "token to piece cache size = ...")
    if "vocabulary_only" in kinds:
        return missing
    # Builds from mid-2024 to January 2025 did not announce the tensors; the last line of the model's description ends
    # the vocabulary there.
    announced = "tensors_begin" in kinds or (era in (E24, E25, None) and "info" in kinds)
    expect("tensors", announced, "loading model tensors, this can take a while...")
    expect("tensors.allocation", "model" in buffers, "model buffer size = ...")
    if has_context is False:
        return missing
    begun = bool(kinds & {"context_begin", "context"}) or (has_end and has_context is True)
    expect("context", begun, "constructing llama_context")
    if not _is_encoder(events):
        has_state = bool(buffers & {"KV", "RS"} or kinds & {"kv_total", "state_total"})
        expect("context.kv_cache", has_state, "KV buffer size = ...")
    expect("context.graph", "compute" in buffers, "compute buffer size = ...")
    return missing


def merged_into(phase: str, gaps: Sequence[MissingLine]) -> str:
    """The phase that has this one's time: itself, or the nearest that could be told, the one before it last."""
    missing = {gap.phase for gap in gaps}
    if phase not in missing or phase not in _ORDER:
        return phase
    place = _ORDER.index(phase)
    after = [name for name in _ORDER[place + 1 :] if name not in missing]
    before = [name for name in reversed(_ORDER[:place]) if name not in missing]
    # The end of the tensors and of the context is not a line of the log: they go to what came before.
    candidates = before + after if phase in ("tensors", "context") else after + before
    return candidates[0] if candidates else phase


def _furthest(kinds: set[str], buffers: set[str]) -> int:
    """The last phase that the log shows something of, by its place in the order."""
    if kinds & {"context_begin", "context", "kv_total"} or buffers & {"KV", "RS", "compute", "output"}:
        return 3
    if "tensors_begin" in kinds or "model" in buffers:
        return 2
    return 1 if kinds & {"vocabulary", "vocabulary_done"} else 0


def _is_encoder(events: Sequence[Event]) -> bool:
    """Whether attention is not causal: such a model has no KV cache."""
    return any(event.kind == "info" and event.groups[:2] == ("causal attn", "0") for event in events)
