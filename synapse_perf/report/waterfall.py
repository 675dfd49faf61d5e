"""Where do the seconds of a start go? Lays the phases of a run end to end as a timeline, and draws its bars.

The phases follow each other, so each begins where the one before it ends. Sub-phases (``context.kv_cache``) lie within
their parent and are never added to it. Medians do not add up exactly to the median of the whole; the difference is what
the title's total shows. The floor is no phase: it is the least that reading the same file takes on this machine.
"""

from __future__ import annotations

from typing import TypeAlias

from synapse_perf.model import Metric
from synapse_perf.report.document import Bar, BarKind, Lane
from synapse_perf.report.figures import (
    fact_median,
    fact_values,
    format_middle,
    format_ratio,
    format_spread,
    middle,
    samples_of,
)
from synapse_perf.report.runs import FLOOR, LOAD, PHASE, Run
from synapse_perf.units import format_bytes, format_duration, format_percent

PHASE_ORDER = (
    "process_to_port",  # these three: of a server, seen from outside
    "port_to_answer",
    "answer_to_ready",
    "interpreter",
    "import",
    "harness",
    "backend",
    "metadata",
    "device_choice",
    "vocabulary",
    "tensors",
    "context",
    "warm_up",
    "server",
    "first_token",
    "residual",
)
BEFORE_LOAD = frozenset({"start_up", "device", "fit"})  # in the order that the log has them, which differs
SERVER_PHASE = "process_to_port"
PHASE_LABELS = {
    "harness": "worker (this tool)",
    "process_to_port": "until its port opens",
    "port_to_answer": "until it answers",
    "answer_to_ready": "until it is ready",
    "fit": "search for a fit",
    "device": "device start",
    "server": "server set-up",
}
CACHE_TITLES = {
    "cold": "cold",
    "warm": "warm",
    "uncertified": "not certified cold",
    "unknown": "page cache not known",
}
_Span: TypeAlias = tuple[Metric, float, float, BarKind]  # a phase, its start and length in seconds, how to draw it
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FULL = {"phase": "█", "part": "▒", "residual": "░", "floor": "·", "count": "█", "over": "█"}
_FULL_ASCII = {"phase": "#", "part": "=", "residual": "~", "floor": ".", "count": "#", "over": "#"}


def lane_of(run: Run, name: str) -> Lane | None:
    """The timeline of one run, or None if it has no phases."""
    phases = phases_of(run)
    if not phases:
        return None
    total = middle(run.startup) or sum(middle(metric) or 0.0 for metric, kind in phases if kind != "part")
    spans = _spans(phases)
    floor = run.metric(PHASE, FLOOR)
    if floor is not None:
        tensors = next((start for metric, start, _, _ in spans if metric.labels.get("phase") == "tensors"), 0.0)
        spans.append((floor, tensors, middle(floor) or 0.0, "floor"))
    scale = max([total, *(start + length for _, start, length, _ in spans)])
    bars = tuple(
        Bar(
            label=_label(metric),
            value=format_middle(metric),
            share=format_percent(length / total) if total else "",
            start=start / scale if scale else 0.0,
            length=length / scale if scale else 0.0,
            kind=kind,
        )
        for metric, start, length, kind in spans
    )
    where = f" on {run.device}" if run.device else ""
    title = ", ".join(part for part in (f"{name}{where}", CACHE_TITLES.get(run.cache, run.cache)) if part)
    return Lane(title, _total_text(run, total), bars, tuple(_notes(run)))


def phases_of(run: Run) -> list[tuple[Metric, BarKind]]:
    """The phases that took any time, in its order, each parent followed by its parts, the residual last."""
    every = [metric for metric in run.metrics if metric.name == PHASE and metric.summary.count]
    lasting = [metric for metric in every if any(samples_of(metric))]
    found = {metric.labels.get("phase", ""): metric for metric in lasting or every}
    found.pop(FLOOR, None)
    parents = sorted(dict.fromkeys(name.partition(".")[0] for name in found), key=_place_in_time)
    ordered: list[tuple[Metric, BarKind]] = []
    for parent in parents:
        kind: BarKind = "residual" if parent == "residual" else "phase"
        if parent in found:
            ordered.append((found[parent], kind))
        ordered.extend((found[name], "part") for name in found if name.startswith(f"{parent}."))
    return ordered


def _place_in_time(phase: str) -> float:
    """A phase that is not in the list is put before the first token."""
    if phase in BEFORE_LOAD:
        return PHASE_ORDER.index("metadata") - 0.5
    return PHASE_ORDER.index(phase) if phase in PHASE_ORDER else PHASE_ORDER.index("first_token") - 0.5


def draw_bar(bar: Bar, width: int, *, ascii_only: bool) -> str:
    """The bar at its place within `width` cells; even the shortest span leaves a mark, but a count of none does not."""
    if bar.kind == "count" and not bar.length:
        return ""
    start = min(round(bar.start * width), width - 1)
    eighths = min(round(bar.length * width * 8), (width - start) * 8)
    if ascii_only or bar.kind not in ("phase", "count"):
        full = (_FULL_ASCII if ascii_only else _FULL)[bar.kind]
        return " " * start + full * max(1, round(eighths / 8))
    whole, part = divmod(max(eighths, 1), 8)
    return " " * start + "█" * whole + _EIGHTHS[part].strip()


def _spans(phases: list[tuple[Metric, BarKind]]) -> list[_Span]:
    spans: list[_Span] = []
    parent_end = part_start = 0.0
    for metric, kind in phases:
        length = max(middle(metric) or 0.0, 0.0)
        if kind == "part":
            spans.append((metric, part_start, length, kind))
            part_start += length
        else:
            spans.append((metric, parent_end, length, kind))
            part_start, parent_end = parent_end, parent_end + length
    return spans


def _label(metric: Metric) -> str:
    parent, _, part = metric.labels.get("phase", "").partition(".")
    if parent == FLOOR:
        return "(floor)"
    return "  " + part.replace("_", " ") if part else phase_label(parent)


def phase_label(phase: str) -> str:
    """A phase as people read it."""
    return PHASE_LABELS.get(phase, phase.replace("_", " "))


def _total_text(run: Run, total: float) -> str:
    if run.startup is None:
        return f"{format_duration(total)} in these phases; when the first token came is not known"
    return f"{format_middle(run.startup)} to the first token ({format_spread(run.startup)})"


def _notes(run: Run) -> list[tuple[str, str]]:
    load, startup, floor = run.metric(LOAD), run.startup, run.metric(PHASE, FLOOR)
    notes = []
    if load is not None:
        span = "the spawn to health 200" if run.metric(PHASE, SERVER_PHASE) else "the load call to context ready"
        notes.append(("load", f"{format_middle(load)} from {span} ({format_spread(load)})"))
    if floor is not None:
        notes.append(("floor", _floor_note(run, floor)))
    if startup is not None:
        notes.append(("page cache", _cache_note(run, startup)))
        notes.append(("time spent", _bound_note(startup)))
        notes.append(("page faults", _faults_note(startup)))
        notes.append(("load mode", effect_note(startup)))
        notes.append(("offload", _offload_note(run, startup)))
    return [note for note in notes if note[1]]


def _offload_note(run: Run, startup: Metric) -> str:
    """How many layers the device got, by llama.cpp's log; nothing where it got none."""
    offloaded, layers = fact_median(startup, "layers_offloaded"), fact_median(startup, "layers")
    return f"{offloaded:.0f} of {layers:.0f} layers on {run.device}" if offloaded and layers else ""


def _cache_note(run: Run, startup: Metric) -> str:
    """What proves the page-cache state: the resident share before, and the bytes read from the device."""
    parts = []
    resident = fact_values(startup, "resident_before")
    if resident:
        low, high = _share_in_words(min(resident)), _share_in_words(max(resident))
        parts.append(f"{low if low == high else f'{low} to {high}'} of the file resident before")
    read = fact_median(startup, "read_bytes")
    if read is not None:
        parts.append(f"{format_bytes(read)} read from the disk")
    proven = [value for trial in startup.trials for value in trial.facts.get("cold_proven", ())]
    if run.cache == "cold" and proven:
        parts.insert(0, f"{sum(value is True for value in proven)} of {len(proven)} starts proven cold")
    return ", ".join(parts)


def effect_note(startup: Metric) -> str:
    """What to say about a load mode that llama.cpp did not honour; empty if it did, or did not tell."""
    told = [value for trial in startup.trials for value in trial.facts.get("load_mode_effective", ())]
    ignored = sum(value is False for value in told)
    if not ignored:
        return ""
    problems = {value for trial in startup.trials for value in trial.facts.get("load_mode_problem", ()) if value}
    cause = ", ".join(sorted(map(str, problems))) or "llama.cpp used another one without an error"
    return f"not effective in {ignored} of {len(told)} starts: {cause}"


def _share_in_words(share: float) -> str:
    return {0.0: "none", 1.0: "all"}.get(share) or format_percent(share)


def _bound_note(startup: Metric) -> str:
    names = (("on_cpu_s", "on CPU"), ("blocked_s", "blocked"), ("run_queue_s", "waiting for a core"))
    known = [(text, fact_median(startup, name)) for name, text in names]
    parts = [f"{format_duration(value)} {text}" for text, value in known if value is not None]
    return ", ".join(parts)


def _faults_note(startup: Metric) -> str:
    known = [(kind, fact_median(startup, f"{kind}_faults")) for kind in ("major", "minor")]
    parts = [f"{value:,.0f} {kind}".replace(",", " ") for kind, value in known if value is not None]
    return ", ".join(parts)


def _floor_note(run: Run, floor: Metric) -> str:
    what = "copying the file from the page cache" if run.cache == "warm" else "reading the file from start to end"
    text = f"{format_middle(floor)} for {what} ({format_spread(floor)})"
    tensors, least = middle(run.metric(PHASE, "tensors")), middle(floor)
    if tensors is not None and least:
        text += f"; the tensors phase takes {format_ratio(tensors / least)} that"
    return text
