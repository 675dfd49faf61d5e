"""Is the change slower than what it is compared with, judged by pairs of runs in random order?

A screen looks at every metric: what is surely not slower by the effect asked for is cleared there. The rest, suspects
and undecided alike, is judged again on fresh pairs alone, so that what the screen picked by chance cannot confirm
itself. For identical code the chance of any false alarm in a whole gate is at most `Rules.alarm` (Holm over metrics,
the same share for each look); a metric slower by the effect asked for is called unchanged with a chance of about
`Rules.slip`, and at no look of more than `Rules.few_slip`. Where others disturbed most of the fresh pairs, the
noise is larger than any floor and that chance would be taken in full: see `gate_agreement`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from synapse_perf.analyze.compare import NO_SAMPLE, changed_meaning
from synapse_perf.analyze.gate_agreement import Agreement, agreement_of, is_most
from synapse_perf.analyze.gate_figures import Figure, Figures, is_timed
from synapse_perf.analyze.gate_leaks import appeared
from synapse_perf.analyze.gate_signed_rank import bounds, centre, holm, least_pairs, p_value
from synapse_perf.analyze.percentile import student_quantile
from synapse_perf.model import ComparisonStatus
from synapse_perf.units import format_percent

MOST_PAIRS = 200  # what can be asked for; beyond this no number of pairs is named
SHOWN = 0.05  # the interval that people see misses so often; decisions have levels of their own


@dataclass(frozen=True, slots=True)
class Rules:
    """What the decision is made by; shares, not per cent."""

    floor: float = 0.03  # a slowdown below it is no regression
    floors: Mapping[str, float] = field(default_factory=dict)  # by metric, where its noise supports no smaller one
    effect: float = 0.10  # the slowdown that has to be found
    suspicion: float = 0.20  # the p that makes a metric a suspect, which costs more pairs and nothing else
    side_suspicion: float = 0.02  # the same for one that is not principal, of which there are many
    alarm: float = 0.02
    alone: float = 0.002  # the same for a time that the processor time does not confirm, where others disturbed
    slip: float = 0.00004  # the chance, over all looks, of calling a slowdown by the effect unchanged
    few_slip: float = 0.0005  # the same at one look by signs alone, where the pairs are too few to say more by them
    screen_pairs: int = 12
    confirm_pairs: tuple[int, ...] = (12, 30, 60, 120)  # the looks at fresh pairs

    def floor_of(self, metric: str) -> float:
        return max(self.floor, self.floors.get(metric, 0.0))

    def effect_of(self, metric: str) -> float:
        """Nothing below the floor can be asked for."""
        return max(self.effect, self.floor_of(metric))

    def looks(self, metrics: int) -> tuple[int, ...]:
        """After how many fresh pairs so many open metrics are judged: never at fewer than could confirm one."""
        least = least_pairs(self.alarm / len(self.confirm_pairs) / max(metrics, 1))
        return tuple(max(pairs, least) for pairs in self.confirm_pairs)

    def screened_pairs(self) -> int:
        return max(self.screen_pairs, least_pairs(self.few_slip))


@dataclass(frozen=True, slots=True)
class PairedRuns:
    """The figures of one pair."""

    before: Figures
    after: Figures
    is_disturbed: bool = field(default=False, kw_only=True)  # by others on the machine


@dataclass(frozen=True, slots=True)
class Judgement:
    """One metric over pairs. Slowdowns are logarithms: above 0 is worse, whatever the metric's direction."""

    metric: str
    status: ComparisonStatus
    reason: str
    pairs: int = 0
    slowdown: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    needs: int | None = None
    is_open: bool = False  # fresh pairs could decide
    is_incomplete: bool = (
        False  # some run lacks it, which is no noise: it counts for metrics that are not principal too
    )
    stands_for: str = ""


def metrics_in(pairs: Sequence[PairedRuns]) -> dict[str, Figure]:
    """Every metric of any run, in the order first met."""
    found: dict[str, Figure] = {}
    for figures in (side for pair in pairs for side in (pair.before, pair.after)):
        for metric, figure in figures.items():
            found.setdefault(metric, figure)
    return found


def screen(pairs: Sequence[PairedRuns], rules: Rules) -> dict[str, Judgement]:
    """The judgement of each metric by the first pairs; what is left inconclusive has to be judged on fresh ones."""
    return {metric: _screened(metric, pairs, rules) for metric in metrics_in(pairs)}


def confirm(
    metrics: Sequence[str], fresh: Sequence[PairedRuns], rules: Rules, *, is_over: bool
) -> dict[str, Judgement]:
    """The judgement of open metrics by fresh pairs, at each of the looks that they suffice for.

    `is_over`: no further pair will come, so what is decided by no look is inconclusive.
    """
    looks = rules.looks(len(metrics))
    regressed: dict[str, Judgement] = {}
    found: dict[str, Judgement] = {}
    reached = [look for look in dict.fromkeys(looks) if look <= len(fresh)]
    for look in reached:
        found = {metric: _judged(metric, fresh[:look], rules) for metric in metrics}
        told = _slower(found, fresh[:look], rules)
        found |= told
        for metric, one in told.items():
            if one.status == "regressed":
                regressed.setdefault(metric, one)
    if is_over and len(fresh) not in reached and fresh:
        found = {metric: _judged(metric, fresh, rules) for metric in metrics}
    return {metric: regressed.get(metric, found.get(metric, _waiting(metric))) for metric in metrics}


def _slower(found: Mapping[str, Judgement], fresh: Sequence[PairedRuns], rules: Rules) -> dict[str, Judgement]:
    """The metrics that these pairs show to be slower, and whether that counts."""
    p_values = [1.0 if one.p is None else one.p for one in found.values()]
    at_look = [holm(p_values, level / len(rules.confirm_pairs)) for level in (rules.alarm, rules.alone)]
    figures = metrics_in(fresh)
    is_doubtful = is_most([pair.is_disturbed for pair in fresh])
    agreement = agreement_of([(pair.before, pair.after) for pair in fresh]) if is_doubtful else None
    told = {}
    for (metric, one), falls, falls_alone in zip(found.items(), *at_look, strict=True):
        if not falls:
            continue
        if not is_doubtful or not is_timed(figures[metric]):
            told[metric] = _regressed(one, rules)
        elif agreement is not None and agreement.confirms(one.slowdown):
            told[metric] = _regressed(one, rules, f"others disturbed most of them, and {agreement.shown} confirms it")
        elif falls_alone:
            told[metric] = _regressed(one, rules, "which is more than what others disturbed explains")
        else:
            told[metric] = _doubted(one, fresh, agreement)
    return told


def _screened(metric: str, pairs: Sequence[PairedRuns], rules: Rules) -> Judgement:
    judged = _judged(metric, pairs, rules)
    if judged.p is None:
        return judged
    figures = [side[metric] for pair in pairs for side in (pair.before, pair.after)]
    if figures[0].stands_for:
        return replace(judged, status="inconclusive", stands_for=figures[0].stands_for)
    is_principal = any(figure.is_principal for figure in figures)
    if judged.p <= (rules.suspicion if is_principal else rules.side_suspicion):
        reason = "suspected to be slower, and not confirmed by fresh pairs"
        return replace(judged, status="inconclusive", reason=reason, is_open=True)
    return replace(judged, is_open=is_principal and judged.status == "inconclusive")


def _judged(metric: str, pairs: Sequence[PairedRuns], rules: Rules) -> Judgement:
    """By its bounds alone; whether it regressed is decided over all metrics together."""
    figures = [(pair.before.get(metric), pair.after.get(metric)) for pair in pairs]
    refused = _refused(metric, figures)
    if refused is not None:
        return refused
    both = [(before, after) for before, after in figures if before is not None and after is not None]
    values = [(before.value, after.value) for before, after in both]
    if both[0][1].is_leak:
        befores, afters = zip(*values, strict=True)
        if (told := appeared(befores, afters)) is not None:
            return Judgement(metric, *told, pairs=len(values))
    if both[0][1].better == "exact":
        return _exact(metric, both)
    if min(map(min, values)) <= 0:
        return _without_ratio(metric, values)
    sign = -1 if both[0][1].better == "higher" else 1
    slowdowns = [sign * math.log(after / before) for before, after in values]
    floor, effect = math.log1p(rules.floor_of(metric)), math.log1p(rules.effect_of(metric))
    ceiling = _ceiling(slowdowns, rules)
    low, high = bounds(slowdowns, SHOWN / 2)
    middle, p = centre(slowdowns), p_value([value - floor for value in slowdowns])
    status, reason, needs = _by_bounds(len(values), middle, ceiling, floor, effect)
    return Judgement(metric, status, reason, len(values), middle, _finite(low), _finite(high), p, needs)


def _ceiling(slowdowns: Sequence[float], rules: Rules) -> float:
    """What the slowdown lies below.

    The signs of a dozen pairs are never surer than one in thousands, whatever the noise: where pairs fall into several
    classes, a lucky dozen of them would look steady enough. So Student's bound has to lie below the effect too, which
    costs fresh pairs where the noise is large and nothing where it is small. Of more pairs the exact bound is enough.
    """
    pairs, slip = len(slowdowns), rules.slip / len(rules.confirm_pairs)
    if pairs >= least_pairs(slip):
        return bounds(slowdowns, slip)[1]
    if pairs < 2:
        return math.inf
    mean = statistics.fmean(slowdowns)
    variance = math.fsum((value - mean) ** 2 for value in slowdowns) / (pairs - 1)
    student = mean + student_quantile(pairs, slip) * math.sqrt(variance / pairs)
    return max(bounds(slowdowns, rules.few_slip)[1], student)


def _by_bounds(
    pairs: int, middle: float, ceiling: float, floor: float, effect: float
) -> tuple[ComparisonStatus, str, int | None]:
    asked = format_percent(math.expm1(effect))
    if ceiling < -floor:
        return "improved", "faster in these pairs", None
    if ceiling < effect:
        return "unchanged", f"no slowdown by {asked}", None
    if not math.isfinite(ceiling):
        return "inconclusive", f"{pairs} pairs are too few to exclude anything", None
    width = ceiling - middle
    distance = max(effect - middle, middle - floor)  # to the nearer decision that the centre allows
    wanted = math.ceil(pairs * (width / distance) ** 2) if distance > 0 else MOST_PAIRS + 1
    needs = max(1, wanted - pairs) if wanted <= MOST_PAIRS else None
    return (
        "inconclusive",
        f"a slowdown by {asked} cannot be excluded (it may be {format_percent(math.expm1(ceiling))})",
        needs,
    )


def _refused(metric: str, figures: Sequence[tuple[Figure | None, Figure | None]]) -> Judgement | None:
    """Why the metric cannot be judged at all, if so."""
    befores, afters = ([one for one in side if one is not None] for side in zip(*figures, strict=True))
    if not afters:
        return Judgement(metric, "missing", "the change has no such metric")
    if not befores:
        if not all(math.isfinite(one.value) for one in afters):
            return Judgement(metric, "inconclusive", f"new, and has {NO_SAMPLE}", is_incomplete=True)
        return Judgement(metric, "missing", "new: there is nothing to compare it with")
    for one in (*befores, *afters):
        if changed := changed_meaning(befores[0], one):
            return Judgement(metric, "not-comparable", f"differing: {', '.join(changed)}")
    held = sum(before is not None and after is not None for before, after in figures)
    if held < len(figures):
        reason = f"measured in {held} of {len(figures)} pairs only"
        return Judgement(metric, "inconclusive", reason, held, is_incomplete=True)
    known = [[math.isfinite(one.value) for one in side] for side in (befores, afters)]
    if not befores[0].is_leak and not all(map(all, known)):
        if all(known[0]) and not any(known[1]):
            return Judgement(metric, "missing", NO_SAMPLE, held)
        return Judgement(metric, "inconclusive", f"a run has {NO_SAMPLE}", held, is_incomplete=True)
    return None


def _exact(metric: str, figures: Sequence[tuple[Figure, Figure]]) -> Judgement:
    befores, afters = ({side.value for side in sides} for sides in zip(*figures, strict=True))
    if len(befores) > 1 or len(afters) > 1 or not all(one.is_steady for pair in figures for one in pair):
        return Judgement(metric, "inconclusive", "it should be exact, and differs between runs of the same code")
    if befores == afters:
        return Judgement(metric, "unchanged", "the same in every run", len(figures))
    return Judgement(metric, "regressed", "it has to be equal", len(figures))


def _without_ratio(metric: str, values: Sequence[tuple[float, float]]) -> Judgement:
    if {value for pair in values for value in pair} == {0.0}:
        return Judgement(metric, "unchanged", "0 in every run", len(values))
    return Judgement(metric, "inconclusive", "a ratio needs values above 0", len(values))


def _regressed(judged: Judgement, rules: Rules, why: str = "") -> Judgement:
    floor = rules.floor_of(judged.metric)
    reason = f"slower by more than {format_percent(floor)}: p {judged.p:.2g} in {judged.pairs} fresh pairs"
    return replace(judged, status="regressed", reason=", ".join(filter(None, (reason, why))), needs=None)


def _doubted(judged: Judgement, fresh: Sequence[PairedRuns], agreement: Agreement | None) -> Judgement:
    others = f"others disturbed {sum(pair.is_disturbed for pair in fresh)} of {len(fresh)} fresh pairs"
    processor = "no processor time is known" if agreement is None else f"{agreement.shown} does not confirm it"
    return replace(
        judged, status="inconclusive", reason=f"slower here (p {judged.p:.2g}), but {others}, and {processor}"
    )


def _waiting(metric: str) -> Judgement:
    return Judgement(metric, "inconclusive", "no fresh pair was measured")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
