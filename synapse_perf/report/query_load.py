"""How do the tiers answer under load: how much is offered and answered, who waits for what, and what bounds it?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.latency_rows import middle_of
from synapse_perf.analyze.query_load import LoadLevel, levels_of
from synapse_perf.analyze.query_load_findings import load_of
from synapse_perf.analyze.summary import least_for_percentile
from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration, format_percent, three_digits

STALL = 5.0  # times the usual answer: the longest one then stood out
A_PART = 0.1  # of a response that is worth telling
LEGEND = (
    "Response (p50 to worst): from when a query came (at a rate: from when it was due) to the end of its answer, which "
    "is {parts}. In time: the share within the tier's target; a query without an answer is not, and has no end (>). "
    "Never judged."
)


def query_load_section(asked: Asked) -> Section | None:
    """A row for each tier and level; None where no load was asked for."""
    levels = levels_of(asked.metrics)
    left_out = _left_out(asked.result)
    if not levels:
        return Section("Under load", left_out) if left_out else None
    for level in levels:
        rates = (level.throughput, level.tokens, level.goodput)
        asked.mark((*rates, level.latency, level.queue, level.service, level.first_word, level.writing))
    confidence, is_served = _confidence(asked), any(level.first_word for level in levels)
    columns = (
        Column("tier"),
        Column("load"),
        Column("done/s", "right"),
        Column("tok/s", "right"),
        Column("p50", "right"),
        Column("p95", "right"),
        Column("worst", "right"),
        *(Column(part, "right") for part in (("1st word", "rest") if is_served else ("queue", "service"))),
        Column("in time", "right"),
    )
    rows = []
    for place, level in enumerate(levels):
        is_first = not place or levels[place - 1].tier != level.tier
        rows.append(_row(level, level.tier if is_first else "", confidence))
    sentences = [*(_bound(tier, levels) for tier in dict.fromkeys(level.tier for level in levels))]
    blocks: list[Block] = [Table(columns, tuple(rows)), *left_out, *(Paragraph(text) for text in sentences)]
    legend = LEGEND.format(parts="the time to the first word and the rest" if is_served else "queue plus service")
    stalls = stall_sentence(levels)
    if stalls:
        blocks.append(Paragraph(stalls))
    blocks.append(Paragraph(f"{_counts(levels)}{_sender(levels)} {legend}", "quiet"))
    return Section("Under load", tuple(blocks))


def _left_out(result: Result) -> tuple[Paragraph, ...]:
    """Which levels there was no time for, and which queries load is not put on."""
    load = result.workload.get("load")
    if not isinstance(load, Mapping):
        return ()
    told = [f"{text[:1].upper()}{text[1:]}." for text in load.get("left_out", ())]
    alone = " and ".join(load.get("without_load", ()))
    told += (
        [f"{alone[:1].upper()}{alone[1:]} queries are asked one at a time only: no load is put on them."]
        if alone
        else []
    )
    return tuple(map(Paragraph, told))


def _counts(levels: Sequence[LoadLevel]) -> str:
    counts = [level.count("requests") for level in levels]
    span = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    processes = max(level.throughput.summary.processes for level in levels)
    return f"{span} queries a level, in {processes} process{'es' if processes > 1 else ''}."


def _row(level: LoadLevel, tier: str, confidence: float) -> Row:
    goodput, bounds = level.share(confidence)
    texts = (
        load_of(level),
        three_digits(middle_of(level.throughput)),
        three_digits(middle_of(level.tokens)),
        _percentile(level, 0.5),
        _percentile(level, 0.95),
        _percentile(level, 1.0),
        _middle(level.queue or level.first_word),
        _middle(level.service or level.writing),
        format_percent(goodput).replace(" %", "%"),
    )
    return Row((Cell(tier), *map(Cell, texts)), _note(level, bounds))


def _note(level: LoadLevel, bounds: tuple[float, float] | None) -> str:
    asked = level.count("requests")
    parts = []
    if level.is_late:
        parts.append(f"SENDER LATE by {format_duration(max(level.numbers('lateness_p95_s')))}: not this load")
    if level.lost:
        told = f" ({level.first_error})" if level.first_error else ""
        parts.append(f"{level.lost} of {asked} without an answer{told}")
    if level.is_growing:
        parts.append("the queue grows")
    if bounds is not None and bounds[1] < 1:
        parts.append(f"in time {format_percent(bounds[0])} to {format_percent(bounds[1])}")
    return "; ".join(parts)


def _percentile(level: LoadLevel, probability: float) -> str:
    """None where the queries are too few for it; the worst is always shown."""
    count = sum(map(len, level.groups))
    if probability < 1 and count < least_for_percentile(probability):
        return "none"
    value = level.percentile(probability)
    if math.isfinite(value):
        return format_duration(value)
    if level.latency is None or level.count("errors"):
        return "lost"
    return f">{format_duration(max(sample for trial in level.latency.trials for sample in trial.samples))}"


def _middle(metric: Metric | None) -> str:
    return format_duration(middle_of(metric)) if metric else "none"


# --- what bounds it --------------------------------------------------------------------------------------------------


def _bound(tier: str, levels: Sequence[LoadLevel]) -> str:
    """A model in-process answers one query at a time; how many a server does is seen by what they get together."""
    own = [level for level in levels if level.tier == tier]
    served = [middle_of(level.service) for level in own if level.service is not None]
    if not served:
        return _together(tier, own)
    told = f"{_name(tier)} answers one query at a time, at most {three_digits(1 / min(served))} a second"
    shares = {load_of(level): level.queue_share(0.95)[0] for level in own if not level.is_late}
    longest = max(shares, key=lambda load: shares[load], default="")
    if longest and shares[longest] > A_PART:
        told += f"; with {longest} waiting for it is {format_percent(shares[longest])} of a response"
    else:
        told += "; none of these loads makes queries wait for it"
    return f"{told}."


def _together(tier: str, levels: Sequence[LoadLevel]) -> str:
    closed = [level for level in levels if not level.is_open and level.latency]
    most = max(levels, key=lambda level: middle_of(level.throughput))
    told = f"{_name(tier)} answers up to {three_digits(middle_of(most.throughput))} a second ({load_of(most)})"
    if len(closed) < 2:
        return f"{told}."
    few, many = closed[0], closed[-1]
    more = middle_of(many.throughput) / middle_of(few.throughput)
    return f"{told}; {load_of(many)} get {three_digits(more)} times the answers of {load_of(few)}."


def _sender(levels: Sequence[LoadLevel]) -> str:
    """By how much queries were sent after they were due: it is a part of their responses that is not the model's."""
    late = [one for level in levels for one in level.numbers("lateness_p95_s")]
    return f" Sent after they were due by {format_duration(max(late))} at most (p95 of a process)." if late else ""


def stall_sentence(levels: Sequence[LoadLevel]) -> str:
    """Why an answer that takes unusually long shows in an open loop, and in a closed one does not."""
    stalled = [level for level in levels if _stall(level) is not None]
    parts = []
    for is_open, name in ((False, "with users who wait"), (True, "at a rate")):
        own = [level for level in stalled if level.is_open == is_open]
        if own:
            level = max(own, key=lambda one: _stall(one) or (0.0, 0))
            seconds, waited = _stall(level) or (0.0, 0)
            queries = f"{waited} other quer{'y' if waited == 1 else 'ies'} waited for it"
            parts.append(f"{name} ({level.tier}, {load_of(level)}) one took {format_duration(seconds)} and {queries}")
    if not parts:
        return ""
    why = (
        "users who wait ask nothing meanwhile, so a stall delays few of their queries and hides from their p95 and "
        "p99; at a rate queries go on coming, and each waits for the rest of it"
    )
    return f"Unusually long answers: {'; '.join(parts)}. Why they differ: {why}."


def _stall(level: LoadLevel) -> tuple[float, int] | None:
    """The longest answer, where it took many times the usual, and how many others waited for it."""
    found: list[tuple[float, int]] = []
    for record in level.throughput.trials:
        facts = (record.facts.get(name, ()) for name in ("longest_service_s", "service_median_s", "waited_for_longest"))
        for longest, usual, waited in zip(*facts, strict=False):
            numbers = (longest, usual, waited)
            if all(isinstance(one, int | float) for one in numbers) and float(longest or 0) > STALL * float(usual or 0):
                found.append((float(longest or 0), int(waited or 0)))
    return max(found, default=None)


def _name(tier: str) -> str:
    return f"{tier[:1].upper()}{tier[1:]}"


def _confidence(asked: Asked) -> float:
    found = asked.result.plan.get("confidence")
    return float(found) if isinstance(found, int | float) else 0.95
