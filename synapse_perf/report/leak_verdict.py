"""Is there a leak, in one line, and for each hunt: how fast does it grow, or how small a leak would be seen?"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.host.leak_probes import MUST_BE_ZERO
from synapse_perf.model import Result
from synapse_perf.report.document import Block, Paragraph, Section, Tone
from synapse_perf.report.leak_cache import cache_findings_of
from synapse_perf.report.leak_figures import PER_HOUR, format_amount, plural
from synapse_perf.report.leak_rows import LeakRow, ranked, rows_of, teller_of
from synapse_perf.report.verdict import how_and_where

TOLD_AT_ONCE = 3


def leak_verdict_section(result: Result) -> Section:
    rows = rows_of(result)
    blocks: list[Block] = [_line(ranked(rows), result)]
    blocks += [Paragraph(f"{finding.cause}.", "strong") for finding in cache_findings_of(result)]
    for hunt in dict.fromkeys(row.hunt for row in rows):
        own = ranked(row for row in rows if row.hunt == hunt)
        blocks += [Paragraph(text) for text in _sentences(own, has_failed=bool(result.failures))]
    return Section("", (*blocks, *how_and_where(result)))


def _line(rows: Sequence[LeakRow], result: Result) -> Paragraph:
    failures = len(result.failures)
    failed = f"; {failures} failure{'s' if failures > 1 else ''}" if failures else ""
    if not rows:
        return Paragraph(f"NOT MEASURED{failed}", "warn")
    worst = rows[0]
    told = {
        "leak": _leak_words(rows),
        "inconclusive": _undecided_words(rows),
        "retained": "nothing leaks, but memory that is no longer in use is kept",
        "clean": "nothing grows",
    }[worst.leak.status]
    return Paragraph(f"{worst.word}: {told}{failed}", _tone(worst.tone, failures))


def _tone(tone: Tone, failures: int) -> Tone:
    return "warn" if failures and tone == "good" else tone


def _undecided_words(rows: Sequence[LeakRow]) -> str:
    if any(row.leak.status == "inconclusive" and row.is_known for row in rows):
        return "what grows may be a leak or a warm-up: more iterations would tell"
    return "too few iterations"


def _leak_words(rows: Sequence[LeakRow]) -> str:
    leaking = [row for row in rows if row.leak.status == "leak"]
    leaking = [row for row in leaking if teller_of(row, leaking) is None]
    is_one_hunt = len({row.hunt for row in rows}) == 1
    told = [
        f"{'' if is_one_hunt else row.hunt + ': '}{row.name} {row.growth} per {row.iteration}"
        for row in leaking[:TOLD_AT_ONCE]
    ]
    more = len(leaking) - TOLD_AT_ONCE
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _sentences(rows: Sequence[LeakRow], *, has_failed: bool) -> list[str]:
    """Of one hunt every row that is not clean, then the clean ones in one."""
    hunt, iteration = rows[0].hunt, rows[0].iteration
    told = [row for row in rows if row.leak.status != "clean" and teller_of(row, rows) is None]
    few = [row for row in told if not row.is_known]
    remedy = "" if has_failed else "; give it more time with --max-time"
    texts = [f"{hunt}: {few[0].leak.reason}{remedy}."] if few else []
    texts += [f"{hunt}: {_sentence(row)}." for row in told if row.is_known]
    clean = [row.leak for row in rows if row.leak.status == "clean"]
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


def _sentence(row: LeakRow) -> str:
    if row.leak.status != "leak":
        return f"{row.name}: {row.leak.reason}"
    counted = "readings" if row.iteration == PER_HOUR else plural(row.iteration)
    told = f"{row.name} {row.growth} per {row.iteration} ({row.bounds}, {row.leak.iterations} {counted})"
    endings = [row.full, row.leak.reason if row.probe in MUST_BE_ZERO else ""]
    return "; ".join(filter(None, (told, *endings)))


def _smallest(value: float, unit: str) -> str:
    return (
        f"{format_amount(value, unit)} of memory" if unit == "B" else f"{format_amount(value, unit)} of what is counted"
    )
