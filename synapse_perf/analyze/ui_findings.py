"""What in a page makes it stall or swell, and what would mend it? Above `info` where something measured suffers."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from synapse_perf.analyze.ui_frames import metric_named, page_facts, page_number, stalls_of
from synapse_perf.analyze.ui_leaks import HEAP, counted_rounds
from synapse_perf.analyze.ui_renders import needless_renders
from synapse_perf.analyze.ui_targets import STALLS
from synapse_perf.model import Finding, Json, Leak, Metric
from synapse_perf.units import format_bytes, format_duration, format_percent

BLOCKED = "blocked-main-thread"
FUNCTIONS_SHOWN = 3
LIST_ITEMS = 200  # children of one element: several screens of lines, where a window shows some tens
LIST_OUTSIDE_SHARE = 0.5  # of them out of sight: a virtualised list has a few only
RENDER_SHARE = 0.1  # of the time in style and layout: a tenth of each frame's 16.7 ms
SCRIPT_BYTES = 1024 * 1024  # a browser compiles about 1 MB in 100 ms on a desktop, in half a second on a telephone
LOAD_SCRIPT_S = 0.5  # on the main thread before the page is there: a delay that people notice
COMPRESSED_SHARE = 0.8  # transferred, of the size: above it nothing was compressed
SLOW_INTERACTION_S = 0.2  # "good" ends there for Core Web Vitals
SHIFT = 0.1  # likewise


def ui_findings(metrics: Sequence[Metric], leaks: Sequence[Leak] = (), unfit: str | None = None) -> tuple[Finding, ...]:
    """`unfit`: why this machine cannot be judged by; what is slow may then be its doing, and asks for nothing."""
    timed = (
        *_blocked(metrics),
        *needless_renders(metrics),
        *_slow_interactions(metrics),
        *_long_list(metrics),
        *_large_scripts(metrics),
    )
    if unfit is not None:
        told = "; so does the control page: it may be the machine"
        timed = tuple(
            replace(one, severity="info", cause=one.cause + told if one.id == BLOCKED else one.cause) for one in timed
        )
    return (*timed, *_leaked(metrics, leaks), *_shifting(metrics))


def _blocked(metrics: Sequence[Metric]) -> Iterator[Finding]:
    stalls = metric_named(metrics, STALLS)
    holders = stalls_of(metrics)
    if stalls is None or not holders:
        return
    middle = statistics.median([record.samples[0] for record in stalls.trials])
    browsers = len(stalls.trials)
    worst = holders[0]
    if not middle:
        cause = f"the main thread stood still in {max(one.browsers for one in holders)} of {browsers} browsers only"
    else:
        cause = f"the main thread stands still {middle:.3g} times in 10 s, held by {worst.holder.name}"
    evidence: dict[str, Json] = {
        "stalls_in_ten_seconds": middle,
        "longest_s": max(max(one.intervals_s) for one in holders),
        "held_by": {
            one.holder.name: {
                "times": one.count,
                "each_s": one.held_s / one.count,
                "browsers": f"{one.browsers} of {browsers}",
            }
            for one in holders[:FUNCTIONS_SHOWN]
        },
    }
    yield Finding(
        BLOCKED,
        "high" if middle else "info",
        cause,
        evidence,
        None,
        _remedy(worst.holder.function, is_script=bool(worst.holder.file)),
        "synapse-perf ui-fps on the same page: no stalls",
        "main_thread_stalls above 0",
    )


def _remedy(function: str, *, is_script: bool) -> str:
    if is_script:
        return (
            f"do the work of {function} in pieces of a few ms with a pause after each (scheduler.yield), or in a "
            "worker; keep what does not change (useMemo, React.memo)"
        )
    if "garbage" in function:
        return "make fewer short-lived objects for each frame: reuse arrays and canvases"
    return "change fewer elements at a time, read sizes before changing anything, and give long lists contain: content"


def _leaked(metrics: Sequence[Metric], leaks: Sequence[Leak]) -> Iterator[Finding]:
    growing = {leak.metric: leak for leak in leaks if leak.status == "leak"}
    nodes, listeners = growing.get("dom_node_growth"), growing.get("listener_growth")
    if not growing:
        return
    counted = [f"{leak.growth:g} {name}" for leak, name in ((nodes, "DOM nodes"), (listeners, "listeners")) if leak]
    heap = metric_named(metrics, HEAP)
    evidence: dict[str, Json] = {
        "nodes_a_round": nodes.growth if nodes else 0,
        "listeners_a_round": listeners.growth if listeners else 0,
        "rounds": max(leak.iterations for leak in growing.values()),
    }
    if heap is not None and (kept := counted_rounds(heap)):
        evidence["heap_a_round_bytes"] = statistics.median(kept)
    yield Finding(
        "leaked-dom-nodes" if nodes else "leaked-listeners",
        "high",
        f"each round of the scenario leaves {' and '.join(counted)} behind that nothing collects",
        evidence,
        None,
        "end in the effect's clean-up what the effect began: remove listeners, clear timers, let go of elements",
        "synapse-perf ui-fps --scenario FILE --leak 6: nothing stays; memlab names who holds an element",
        "dom_node_growth above 0",
    )


def _slow_interactions(metrics: Sequence[Metric]) -> Iterator[Finding]:
    latency, processing = (metric_named(metrics, f"interaction_{name}") for name in ("latency", "processing"))
    if latency is None or processing is None:
        return
    slow, handlers = p75(latency), p75(processing)
    if slow <= SLOW_INTERACTION_S:
        return
    is_own = handlers > slow / 2
    yield Finding(
        "slow-interaction",
        "medium" if is_own else "info",
        f"a quarter of the interactions take {format_duration(slow)} or more until the page shows an answer",
        {"p75_s": slow, "p75_of_the_handlers_s": handlers, "interactions": latency.summary.count},
        None,
        "show the answer first, and do the work after the next frame (startTransition, a worker)"
        if is_own
        else "the handlers are not what takes the time: see what else the main thread does",
        "interaction_latency, p75: below 200 ms",
        "interaction_latency above 200 ms",
    )


def p75(metric: Metric) -> float:
    """The third quartile of all samples: what a quarter of them reach."""
    samples = sorted(value for record in metric.trials for value in record.samples)
    return statistics.quantiles(samples, n=4, method="inclusive")[2] if len(samples) > 1 else samples[0]


def _long_list(metrics: Sequence[Metric]) -> Iterator[Finding]:
    items, outside = page_number(metrics, "list_items"), page_number(metrics, "list_outside")
    if items is None or outside is None or items < LIST_ITEMS or outside < LIST_OUTSIDE_SHARE * items:
        return
    rendering = (page_number(metrics, "layout_share") or 0.0) + (page_number(metrics, "style_share") or 0.0)
    name = str(page_facts(metrics, "list")[0])
    yield Finding(
        "long-list",
        "medium" if rendering > RENDER_SHARE else "info",
        f"{name} has {items:.0f} children, of which {outside:.0f} are out of sight: it is not virtualised"
        + (f", and style and layout take {format_percent(rendering)} of the time" if rendering > RENDER_SHARE else ""),
        {
            "children": int(items),
            "out_of_sight": int(outside),
            "nodes": int(page_number(metrics, "nodes") or 0),
            "style_and_layout_share": rendering,
        },
        None,
        "render the lines in sight alone (react-window, @tanstack/react-virtual), or content-visibility: auto",
        f"synapse-perf ui-fps on the same page: fewer than {LIST_ITEMS} children",
        "",
    )


def _large_scripts(metrics: Sequence[Metric]) -> Iterator[Finding]:
    size, came = page_number(metrics, "script_bytes"), page_number(metrics, "script_transferred_bytes")
    if size is None or came is None or size < SCRIPT_BYTES:
        return
    spent_s = page_number(metrics, "load_script_s") or 0.0
    is_development = any(page_facts(metrics, "is_development"))
    plain = ", not compressed" if came > COMPRESSED_SHARE * size else ""
    server = "; a development server gives them in pieces and unminified" if is_development else ""
    yield Finding(
        "large-bundle",
        "medium" if spent_s > LOAD_SCRIPT_S and not is_development else "info",
        f"the page loads {format_bytes(size)} of scripts{plain}, and runs them for {format_duration(spent_s)} at its "
        f"start{server}",
        {
            "size_bytes": int(size),
            "transferred_bytes": int(came),
            "scripts": int(page_number(metrics, "scripts") or 0),
            "run_at_the_start_s": spent_s,
            "largest": _named_sizes(str(page_facts(metrics, "largest_scripts")[0])),
        },
        None,
        "measure what is shipped: vite build && vite preview"
        if is_development
        else "load routes and heavy parts when they are needed (React.lazy), and let the server compress",
        f"synapse-perf ui-fps on the same page: below {format_bytes(SCRIPT_BYTES)}",
        "",
    )


def _named_sizes(text: str) -> str:
    """``app.js 1.20 MiB, vendor.js 300 KiB`` of ``app.js 1258291, vendor.js 307200``."""
    pairs = (one.rpartition(" ") for one in text.split(", ") if one)
    return ", ".join(f"{name} {format_bytes(float(size))}" for name, _, size in pairs)


def _shifting(metrics: Sequence[Metric]) -> Iterator[Finding]:
    shift = metric_named(metrics, "layout_shift")
    middle = statistics.median([value for one in shift.trials for value in one.samples]) if shift else 0.0
    if middle <= SHIFT:
        return
    yield Finding(
        "layout-shift",
        "low",
        f"the layout moves under the reader: a score of {middle:.2f}, where {SHIFT:g} is the most that counts as good",
        {"score": middle, "right_after_input_not_counted": page_number(metrics, "shift_after_input")},
        None,
        "reserve the room of what comes later: sizes for images, min-height for panels that load",
        f"layout_shift: at most {SHIFT:g}",
        f"layout_shift above {SHIFT:g}",
    )
