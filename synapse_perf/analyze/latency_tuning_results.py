"""What did each setting change, pair by pair? A process gives one value, the median of its rounds.

The ratio is what was set over the candidate: above 1 the candidate answers sooner. Intervals lie between order
statistics of the processes, so they assume nothing about their distribution; they hold for all candidates of a tier
together (Bonferroni).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.compare import SMALLEST_EFFECT
from synapse_perf.analyze.latency_tuning_settings import REFERENCE
from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, median_interval
from synapse_perf.model import ComparisonStatus, Metric, TrialRecord

SCREENING, CONFIRMING = "screen=", "tune="  # how the variants of both stages begin
PARTS = ("template_s", "tokenise_s", "prefill_s")  # what comes before the first token is picked


@dataclass(frozen=True, slots=True)
class Compared:
    """One candidate against what was set, on the same queries in the same processes."""

    tier: str
    name: str
    processes: int
    rounds: int
    ratio: float
    low: float | None
    high: float | None
    gain_s: float
    gain_low_s: float | None
    gain_high_s: float | None
    reference_s: float
    candidate_s: float
    status: ComparisonStatus
    same_answers: int  # of the rounds: all tokens that both have are the same
    first_difference: int | None  # the earliest token that differs in any, from 1


def processes_for(candidates: int, confidence: float) -> int:
    """The fewest whose smallest and largest value bound the median of every one of so many candidates."""
    count = LEAST_FOR_MEDIAN
    while 2 / 2**count > (1 - confidence) / max(candidates, 1) + 1e-12:
        count += 1
    return count


def compared(metrics: Sequence[Metric], tier: str, confidence: float) -> list[Compared]:
    """Every candidate that was compared on whole answers; nothing without the reference."""
    stage = _stage(metrics, tier, CONFIRMING)
    reference = stage.pop(REFERENCE, None)
    if reference is None or not stage:
        return []
    corrected = 1 - (1 - confidence) / len(stage)
    found = (_compared(tier, name, reference, candidate, corrected) for name, candidate in stage.items())
    return [one for one in found if one is not None]


def screened(metrics: Sequence[Metric], tier: str, tokens: int) -> dict[str, float]:
    """The ratio of each candidate that was looked at, for an answer of so many tokens; it has no interval."""
    stage = _stage(metrics, tier, SCREENING)
    reference = stage.pop(REFERENCE, None)
    ratios: dict[str, float] = {}
    for name, candidate in stage.items():
        pairs = _pairs(reference, candidate) if reference else []
        values = [
            math.log(_whole_s(first, tokens) / _whole_s(second, tokens))
            for process in pairs
            for first, second in process
        ]
        if values:
            ratios[name] = math.exp(statistics.median(values))
    return ratios


@dataclass(frozen=True, slots=True)
class _Asked:
    """One answer of one round."""

    seconds: float
    before_first_s: float
    tokens: int
    same: int
    of: int


def _stage(metrics: Sequence[Metric], tier: str, stage: str) -> dict[str, Metric]:
    return {
        metric.labels["variant"].removeprefix(stage): metric
        for metric in metrics
        if metric.name == "query_latency"
        and metric.labels.get("tier") == tier
        and metric.labels.get("variant", "").startswith(stage)
    }


def _pairs(reference: Metric, candidate: Metric) -> list[list[tuple[_Asked, _Asked]]]:
    """The rounds of each process that asked both."""
    others = {(record.arm, record.process): _rounds(record) for record in candidate.trials}
    found = []
    for record in reference.trials:
        own, other = _rounds(record), others.get((record.arm, record.process), {})
        both = [(own[number], other[number]) for number in own if number in other]
        if both:
            found.append(both)
    return found


def _rounds(record: TrialRecord) -> dict[float, _Asked]:
    names = ("round", "generated_tokens", "same_tokens", "compared_tokens", *PARTS)
    columns = [record.facts.get(name, ()) for name in names]
    found: dict[float, _Asked] = {}
    for seconds, *facts in zip(record.samples, *columns, strict=False):
        number, tokens, same, of, *parts = (float(fact) if isinstance(fact, int | float) else 0.0 for fact in facts)
        found[number] = _Asked(seconds, sum(parts), int(tokens), int(same), int(of))
    return found


def _whole_s(asked: _Asked, tokens: int) -> float:
    """What an answer of so many tokens would take: what comes after the prompt grows with them."""
    return asked.before_first_s + (asked.seconds - asked.before_first_s) * tokens / max(asked.tokens, 1)


def _compared(tier: str, name: str, reference: Metric, candidate: Metric, confidence: float) -> Compared | None:
    pairs = _pairs(reference, candidate)
    if not pairs:
        return None
    logs = [statistics.median(math.log(first.seconds / second.seconds) for first, second in own) for own in pairs]
    gains = [statistics.median(first.seconds - second.seconds for first, second in own) for own in pairs]
    ratio, gain = (median_interval(values, confidence) for values in (logs, gains))
    answers = [second for own in pairs for _, second in own]
    differing = [answer.same + 1 for answer in answers if answer.same < answer.of]
    low, high = (math.exp(ratio.low), math.exp(ratio.high)) if ratio else (None, None)
    return Compared(
        tier,
        name,
        len(pairs),
        len(answers),
        math.exp(statistics.median(logs)),
        low,
        high,
        statistics.median(gains),
        gain.low if gain else None,
        gain.high if gain else None,
        statistics.median(first.seconds for own in pairs for first, _ in own),
        statistics.median(second.seconds for own in pairs for _, second in own),
        _status(low, high),
        len(answers) - len(differing),
        min(differing, default=None),
    )


def _status(low: float | None, high: float | None) -> ComparisonStatus:
    """A change within 3 % is none, however sure; one whose interval holds no change at all is one."""
    if low is None or high is None:
        return "inconclusive"
    if low >= 1 / (1 + SMALLEST_EFFECT) and high <= 1 + SMALLEST_EFFECT:
        return "unchanged"
    return "improved" if low > 1 else "regressed" if high < 1 else "inconclusive"


def best(found: Sequence[Compared], without: Mapping[str, object] | Sequence[str] = ()) -> Compared | None:
    """The largest gain that was shown."""
    shown = [one for one in found if one.status == "improved" and one.name not in without]
    return max(shown, key=lambda one: one.ratio, default=None)
