"""Does a page render for nothing? What it writes anew while nobody does anything, and what nothing comes of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from synapse_perf.analyze.ui_frames import page_facts, page_number
from synapse_perf.model import Finding, Metric
from synapse_perf.units import format_percent, three_digits

COMPONENTS_PER_S = 20.0  # rendered for nothing: a list's length a second
IDLE_SHARE = 0.5  # of all that are rendered
WRITTEN_PER_S = 20.0  # elements and values
BUSY_SHARE = 0.1  # of the main thread's time in scripts, style and layout: a tenth of each frame's 16.7 ms
ID = "needless-renders"
_CHECK = "synapse-perf ui-fps on the same page: nothing is rendered for nothing"


def needless_renders(metrics: Sequence[Metric]) -> Iterator[Finding]:
    """By React's own account of what it did, and by the document's; at most one of each."""
    seconds = page_number(metrics, "renders_seconds")
    if not seconds:
        return
    yield from _of_react(metrics, seconds)
    yield from _of_the_document(metrics, seconds)


def _of_react(metrics: Sequence[Metric], seconds: float) -> Iterator[Finding]:
    rendered, idle = _number(metrics, "renders") / seconds, _number(metrics, "idle_renders") / seconds
    if idle < COMPONENTS_PER_S or idle < IDLE_SHARE * rendered:
        return
    busy, told = _busy(metrics)
    yield Finding(
        ID,
        "medium" if busy > BUSY_SHARE else "info",
        f"while nobody does anything React renders {three_digits(rendered)} components a second, "
        f"{format_percent(idle / rendered)} of them for nothing: nothing below them changes, and no effect is due "
        f"(most often {_most_named(metrics, 'components')}){told}",
        {
            "commits_per_s": _number(metrics, "commits") / seconds,
            "components_per_s": rendered,
            "for_nothing_per_s": idle,
            **_busy_evidence(metrics),
        },
        None,
        "set state only where the value differs, hold it near what shows it, and keep what stays the same: memo for "
        "components, useMemo for what they compute, one object for a context's value",
        _CHECK,
        "",
    )


def _of_the_document(metrics: Sequence[Metric], seconds: float) -> Iterator[Finding]:
    rebuilt, rewritten = _number(metrics, "rebuilt") / seconds, _number(metrics, "rewritten") / seconds
    if rebuilt + rewritten < WRITTEN_PER_S:
        return
    parts = []
    if rebuilt:
        parts.append(
            f"takes out {three_digits(rebuilt)} elements a second and puts the same in again, most of them in "
            f"{_most_named(metrics, 'rebuilt_in') or 'no element with a name'}"
        )
    if rewritten:
        parts.append(f"sets {three_digits(rewritten)} values a second to what they are")
    busy, told = _busy(metrics)
    yield Finding(
        ID,
        "medium" if busy > BUSY_SHARE else "info",
        f"while nobody does anything the page {' and '.join(parts)}{told}",
        {"elements_rebuilt_per_s": rebuilt, "values_rewritten_per_s": rewritten, **_busy_evidence(metrics)},
        None,
        "compare before writing: build a part of the page anew only where what it shows has changed, with a key that "
        "stays the same for each line of a list",
        _CHECK,
        "",
    )


def _number(metrics: Sequence[Metric], name: str) -> float:
    return page_number(metrics, f"renders_{name}") or 0.0


def _most_named(metrics: Sequence[Metric], name: str) -> str:
    """What most browsers told, in the order of the first."""
    told = [str(value) for value in page_facts(metrics, f"renders_{name}")]
    return max(told, key=told.count) if told else ""


def _busy(metrics: Sequence[Metric]) -> tuple[float, str]:
    """The share of the main thread's time in what a render costs, and that in words where it matters."""
    shares = (page_number(metrics, f"{name}_share") or 0.0 for name in ("script", "style", "layout"))
    busy = sum(shares)
    return busy, f"; scripts, style and layout take {format_percent(busy)} of the time" if busy > BUSY_SHARE else ""


def _busy_evidence(metrics: Sequence[Metric]) -> dict[str, object]:
    functions, share = page_facts(metrics, "busiest"), page_number(metrics, "busiest_share")
    evidence: dict[str, object] = {"busy_share": _busy(metrics)[0]}
    if functions and share is not None:
        named = [str(one) for one in functions]
        evidence |= {"most_of_it_in": max(named, key=named.count), "that_share": share}
    return evidence
