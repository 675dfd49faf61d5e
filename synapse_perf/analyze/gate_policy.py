"""Which pair comes next, in which order, and when is it enough? A pure function of the pairs so far.

The order of each pair is a coin of its own, thrown by the seed: that makes the test exact. A pair that others on the
machine disturbed is measured anew, both sides of it, whatever it showed; where most are disturbed, they are kept.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synapse_perf.analyze.gate_figures import EVERY_TIME
from synapse_perf.analyze.gate_paired import MOST_PAIRS, Judgement, PairedRuns, Rules, confirm, screen

Stage = Literal["screen", "confirm"]
Arm = Literal["before", "after"]
REPLACED_AT_MOST = 0.5  # of the pairs of a stage
HOPELESS = 3  # times as many pairs as are left: a metric that seems to need more is given up


@dataclass(frozen=True, slots=True)
class PairSpec:
    """A pair to measure: the two arms in the order in which they run."""

    number: int
    stage: Stage
    order: tuple[Arm, Arm]
    looks: tuple[int, ...]  # after how many pairs of this stage it is judged, ascending

    @property
    def planned(self) -> int:
        return max(self.looks)

    def until_look(self, done: int) -> int:
        """How many pairs of this stage are missing to the next look at them."""
        return next((look - done for look in self.looks if look > done), 1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A measured pair, and what else happened on the machine meanwhile."""

    spec: PairSpec
    runs: PairedRuns
    disturbances: tuple[str, ...] = ()


def next_pair(pairs: Sequence[Pair], rules: Rules, seed: int) -> PairSpec | None:
    """None when every metric is decided or all that was planned is measured."""
    newest = pairs[-1].spec if pairs else None
    if newest is not None and newest.stage == "confirm":
        fresh = len(_kept(pairs, "confirm", newest.planned))
        if fresh not in newest.looks:
            return _spec(pairs, "confirm", newest.looks, seed)
        is_first = fresh == newest.looks[0]
        if fresh == newest.planned or _is_settled(pairs, rules, math.inf if is_first else newest.planned - fresh):
            return None
        return _spec(pairs, "confirm", newest.looks, seed)
    wanted = rules.screened_pairs()
    if len(_kept(pairs, "screen", wanted)) < wanted:
        return _spec(pairs, "screen", (wanted,), seed)
    open_metrics = _open(screen(_runs(pairs, "screen", wanted), rules))
    return _spec(pairs, "confirm", rules.looks(len(open_metrics)), seed) if open_metrics else None


def _is_settled(pairs: Sequence[Pair], rules: Rules, left: float) -> bool:
    """Whether the fresh pairs have decided each metric that the screen left open, by itself or by a companion.

    Or whether the `left` ones would hardly decide any: to give up finds nothing, and so raises no false alarm.
    """
    screened = screen(_runs(pairs, "screen", rules.screened_pairs()), rules)
    open_metrics = _open(screened)
    fresh = _runs(pairs, "confirm", max(rules.looks(len(open_metrics))))
    judged = confirm(open_metrics, fresh, rules, is_over=False)
    spoken = {screened[metric].stands_for for metric, one in judged.items() if one.status == "regressed"}
    undecided = [
        one
        for metric, one in judged.items()
        if one.status == "inconclusive" and not screened[metric].stands_for and metric not in spoken
    ]
    return all((MOST_PAIRS if one.needs is None else one.needs) > HOPELESS * left for one in undecided)


def judge(pairs: Sequence[Pair], rules: Rules) -> list[Judgement]:
    """The judgement of every metric once no further pair will come."""
    wanted = rules.screened_pairs()
    screened = screen(_runs(pairs, "screen", wanted), rules)
    open_metrics = _open(screened)
    fresh = _runs(pairs, "confirm", max(rules.looks(len(open_metrics))))
    confirmed = confirm(open_metrics, fresh, rules, is_over=True) if fresh else {}
    return [confirmed.get(metric, one) for metric, one in screened.items()]


def replaced(pairs: Sequence[Pair], rules: Rules) -> list[Pair]:
    """The disturbed pairs that were measured anew."""
    open_metrics = _open(screen(_runs(pairs, "screen", rules.screened_pairs()), rules))
    planned: dict[Stage, int] = {"screen": rules.screened_pairs(), "confirm": max(rules.looks(len(open_metrics)))}
    kept = [pair for stage, wanted in planned.items() for pair in _kept(pairs, stage, wanted)]
    return [pair for pair in pairs if pair not in kept]


def _open(judged: dict[str, Judgement]) -> list[str]:
    """The metrics that fresh pairs could decide, and the companions that may have to speak for one of them."""
    found = {metric for metric, one in judged.items() if one.is_open}
    speaking = {*found, EVERY_TIME} if found else found
    return [metric for metric, one in judged.items() if metric in found or one.stands_for in speaking]


def _runs(pairs: Sequence[Pair], stage: Stage, wanted: int) -> list[PairedRuns]:
    return [replace(pair.runs, is_disturbed=bool(pair.disturbances)) for pair in _kept(pairs, stage, wanted)]


def _kept(pairs: Sequence[Pair], stage: Stage, wanted: int) -> list[Pair]:
    """The pairs of a stage without those that are replaced, which depends on no figure of theirs."""
    left = int(wanted * REPLACED_AT_MOST)
    disturbed = calm = 0
    kept = []
    for pair in pairs:
        if pair.spec.stage != stage:
            continue
        if pair.disturbances and left and disturbed <= calm:
            left -= 1
        else:
            kept.append(pair)
        disturbed += bool(pair.disturbances)
        calm += not pair.disturbances
    return kept


def _spec(pairs: Sequence[Pair], stage: Stage, looks: tuple[int, ...], seed: int) -> PairSpec:
    number = len(pairs) + 1
    heads = random.Random(f"{seed}/{number}").random() < 0.5
    return PairSpec(number, stage, ("before", "after") if heads else ("after", "before"), looks)


def screen_alone(pairs: Sequence[Pair], rules: Rules, seed: int) -> PairSpec | None:
    """The pairs of the screen and no others: what a calibration measures."""
    spec = next_pair(pairs, rules, seed)
    return spec if spec is not None and spec.stage == "screen" else None
