"""Is there a leak, in one line, and for each hunt: how fast does it grow, or how small a leak would be seen?"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.benchmarks.leak_loop import ENTRIES
from synapse_perf.host.leak_probes import ANONYMOUS, HEAP, MUST_BE_ZERO
from synapse_perf.model import Leak, Result
from synapse_perf.report.document import Block, Paragraph, Section, Tone
from synapse_perf.report.leak_cache import cache_findings_of
from synapse_perf.report.leak_figures import (
    STATUS_WORDS,
    format_amount,
    format_bounds,
    format_full,
    format_growth,
    hunt_of,
    iteration_of,
    plural,
    probe_name,
    probe_of,
    ranked,
)
from synapse_perf.report.leak_outside import PER_HOUR, is_told_by_state
from synapse_perf.report.verdict import how_and_where

TOLD_AT_ONCE = 3
SAME_MEMORY = 1.5  # times what the heap grew by: pages hold more than what is in use


def leak_verdict_section(result: Result) -> Section:
    hunts = list(dict.fromkeys(hunt_of(leak, result) for leak in result.leaks))
    blocks: list[Block] = [_line(result)]
    blocks += [Paragraph(f"{finding.cause}.", "strong") for finding in cache_findings_of(result)]
    for hunt in hunts:
        rows = [leak for leak in ranked(result.leaks) if hunt_of(leak, result) == hunt]
        blocks += [Paragraph(text) for text in _sentences(hunt, rows, result)]
    return Section("", (*blocks, *how_and_where(result)))


def _line(result: Result) -> Paragraph:
    worst = ranked(result.leaks)[:1]
    failures = len(result.failures)
    failed = f"; {failures} failure{'s' if failures > 1 else ''}" if failures else ""
    if not worst:
        return Paragraph(f"NOT MEASURED{failed}", "warn")
    word, tone = STATUS_WORDS[worst[0].status]
    told = {
        "leak": _leak_words([leak for leak in ranked(result.leaks) if leak.status == "leak"], result),
        "inconclusive": _undecided_words(result),
        "retained": "nothing leaks, but memory that is no longer in use is kept",
        "clean": "nothing grows",
    }[worst[0].status]
    return Paragraph(f"{word}: {told}{failed}", _tone(tone, failures))


def _tone(tone: Tone, failures: int) -> Tone:
    return "warn" if failures and tone == "good" else tone


def _undecided_words(result: Result) -> str:
    if any(leak.status == "inconclusive" and leak.growth is not None for leak in result.leaks):
        return "what grows may be a leak or a warm-up: more iterations would tell"
    return "too few iterations"


def _leak_words(leaks: Sequence[Leak], result: Result) -> str:
    leaks = [leak for leak in leaks if not _is_told_by_heap(leak, leaks, result)]
    hunts = {hunt_of(leak, result) for leak in result.leaks}
    told = []
    for leak in leaks[:TOLD_AT_ONCE]:
        hunt = hunt_of(leak, result)
        where = f"{hunt}: " if len(hunts) > 1 else ""
        told.append(
            f"{where}{probe_name(probe_of(leak, result))} {format_growth(leak)} per {iteration_of(hunt, result)}"
        )
    more = len(leaks) - TOLD_AT_ONCE
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _is_told_by_heap(leak: Leak, leaks: Sequence[Leak], result: Result) -> bool:
    """Whether the same is in the row of the live heap: what that holds lies in anonymous pages, and in entries."""
    if is_told_by_state(leak, leaks, result):
        return True
    if probe_of(leak, result) not in (ANONYMOUS, ENTRIES):
        return False
    hunt = hunt_of(leak, result)
    heap = next((one for one in leaks if probe_of(one, result) == HEAP and hunt_of(one, result) == hunt), None)
    if heap is None or leak.unit != heap.unit:
        return heap is not None and heap.status == leak.status
    return (leak.growth or 0.0) <= SAME_MEMORY * (heap.growth or 0.0)


def _sentences(hunt: str, rows: Sequence[Leak], result: Result) -> list[str]:
    """Every row that is not clean, then the clean ones in one."""
    iteration = iteration_of(hunt, result)
    told = [leak for leak in rows if leak.status != "clean" and not _is_told_by_heap(leak, rows, result)]
    few = [leak for leak in told if leak.growth is None]
    remedy = "" if result.failures else "; give it more time with --max-time"
    texts = [f"{hunt}: {few[0].reason}{remedy}."] if few else []
    texts += [_sentence(hunt, leak, iteration, result) for leak in told if leak not in few]
    clean = [leak for leak in rows if leak.status == "clean"]
    smallest = {
        leak.unit: max(one.smallest_seen or 0.0 for one in clean if one.unit == leak.unit)
        for leak in clean
        if leak.smallest_seen is not None
    }
    if clean and smallest:
        seen = " or ".join(_smallest(value, unit) for unit, value in sorted(smallest.items(), reverse=True))
        names = "the rest" if texts else f"{len(clean)} probes"
        texts.append(f"{hunt}: {names} clean; a leak of {seen} per {iteration} would have been seen.")
    return texts


def _sentence(hunt: str, leak: Leak, iteration: str, result: Result) -> str:
    metrics = {metric.key: metric for metric in result.metrics}
    name = probe_name(probe_of(leak, result))
    if leak.status == "leak":
        full = format_full(leak, metrics.get(leak.metric), plural(iteration))
        bounds = f"{leak.confidence * 100:g} % {format_bounds(leak)}"
        counted = "readings" if iteration == PER_HOUR else plural(iteration)
        ending = f"; memory is full after {full}" if full else ""
        ending += f"; {leak.reason}" if probe_of(leak, result) in MUST_BE_ZERO else ""
        told = f"{name} {format_growth(leak)} per {iteration} ({bounds}, {leak.iterations} {counted})"
        return f"{hunt}: {told}{ending}."
    return f"{hunt}: {name}: {leak.reason}."


def _smallest(value: float, unit: str) -> str:
    return (
        f"{format_amount(value, unit)} of memory" if unit == "B" else f"{format_amount(value, unit)} of what is counted"
    )
