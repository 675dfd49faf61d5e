"""Does a run of tier-latency end in time with what matters most, whatever the speed of the models?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.latency_pace import asked_in, left_out, pace_of, paced
from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest, plan_latency
from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.query_set import built_in_queries
from synapse_perf.analyze.sampling import Bounds, spent_s
from synapse_perf.analyze.stopping import Judgement, explain_stop, needs_by, undecided_by
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.benchmarks.tier_latency import METRICS
from synapse_perf.model import CheckStatus, Failure, Subject, Trial, TrialSpec
from tests.analyze.latency_machine import Machine, asked_by

FAST = ModelUnderTest("fast", "/m/fast.gguf", ("/m/fast.gguf",), 30, "d1", "qwen3", is_sample=False, tier="fast")
TIERS = {
    "fast": FAST,
    "balanced": replace(FAST, label="balanced", files=("/m/balanced.gguf",), size_bytes=93),
    "deep": replace(FAST, label="deep", files=("/m/deep.gguf",), size_bytes=231),
}
JUDGED = ("fast", "balanced", "deep", "two-stage")
FACTORY = {"factory": "mine:build", "paths": []}
SHORT = LatencyRequest(max_tokens=32, draft_tokens=32, context_tokens=256)  # as the embedded profile has it
ALONE = LatencyRequest(prefixes=("cold",), wants_high_level=False, overlaps=())
EMBEDDED = Machine({"fast": 0.075, "balanced": 0.25, "deep": 0.65, "two-stage": 1.0})  # as on two quiet cores


@dataclass
class Run:
    trials: tuple[Trial, ...]
    cases: Sequence[LatencyCase]
    judgement: Judgement
    bounds: Bounds

    @property
    def asked(self) -> dict[str, list[int]]:
        return asked_by(self.trials, self.cases)

    @property
    def order(self) -> list[str]:
        return [trial.spec.arm for trial in self.trials]

    @property
    def stopped(self) -> str:
        arms = [case.arm(self.bounds.minimum) for case in self.cases]
        return explain_stop(self.trials, arms, self.bounds, undecided_by(self.judgement, arms))

    def statuses(self) -> dict[str, CheckStatus]:
        """As the rule would have it, were these models no samples."""
        checks = check_targets(
            metrics_of(self.trials, METRICS), TARGETS, confidence=0.95, subject="real", profile=self.judgement.profile
        )
        names = [case.name for case in self.cases if case.is_judged]
        found = {check.target.removeprefix("query-"): check.status for check in checks}
        return {name: found[name] for name in names}


def run(
    machine: Machine,
    max_time_s: float | None,
    request: LatencyRequest = SHORT,
    *,
    subject: Subject = "real",
    profile: str = "",
    minimum: int = 6,
    seed: int = 1,
) -> Run:
    cases = plan_latency(TIERS, built_in_queries(), request, FACTORY)
    judgement = Judgement(METRICS, TARGETS, profile=profile, subject=subject)
    bounds = Bounds(minimum=minimum, max_time_s=max_time_s)
    needs = needs_by(judgement, [case.arm(minimum) for case in cases])
    return Run(
        machine.run(paced(cases, bounds=bounds, judgement=judgement, needs=needs, seed=seed)), cases, judgement, bounds
    )


# --- the time that there is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_embedded_profile_decides_its_four_checks_in_three_minutes(seed: int) -> None:
    found = run(replace(EMBEDDED, seed=seed), 180, subject="sample", seed=seed)

    assert spent_s(found.trials) <= 182  # the last process may be slower than its like
    assert found.statuses() == dict.fromkeys(JUDGED, "pass")
    assert {name: len(found.asked[name]) for name in JUDGED} == dict.fromkeys(JUDGED, 6)
    assert all(found.asked.values()), "each comparison has a process at least"


def test_in_a_ci_profile_there_is_enough_for_a_95th_percentile() -> None:
    tiny = Machine({"fast": 0.04, "balanced": 0.13, "deep": 0.35, "two-stage": 0.55})
    found = run(tiny, 120, subject="sample", profile="ci-cpu")

    assert found.statuses() == dict.fromkeys(JUDGED, "pass")


def test_on_a_crowded_machine_comparisons_go_before_the_judged_and_dear_tiers_before_cheap_ones() -> None:
    crowded = Machine({"fast": 0.2, "balanced": 0.55, "deep": 1.3, "two-stage": 3.9}, start_s=0.6)
    found = run(crowded, 180, subject="sample")

    assert {name for name, asked in found.asked.items() if asked} == set(JUDGED)
    (told,) = left_out(found.cases, found.trials)
    assert told.startswith("no time was left for fast prefix=warm, balanced prefix=warm, ")
    assert spent_s(found.trials) <= 182  # the last process may be slower than its like
    statuses = found.statuses()
    assert (statuses["fast"], statuses["balanced"]) == ("pass", "pass")
    assert statuses["two-stage"] == "inconclusive"


def test_large_models_at_ten_seconds_a_query_have_a_median_within_five_minutes() -> None:
    """Six processes of each would take eight; so two of each have six queries."""
    found = run(Machine(dict.fromkeys(TIERS, 10.0), start_s=1, load_s=3), 300, ALONE)

    assert spent_s(found.trials) <= 300
    medians = [metric.summary.median for metric in metrics_of(found.trials, METRICS)]
    assert len(medians) == 3
    assert None not in medians
    assert min(len(asked) for asked in found.asked.values()) >= 2
    assert found.stopped.startswith("the time is spent")


def test_two_stage_queries_of_large_models_leave_every_case_with_a_figure() -> None:
    """Load, first query and two stages take most of the time; the cheap tiers still get their median."""
    large = Machine({"fast": 1.5, "balanced": 6.0, "deep": 10.0, "two-stage": 18.0}, start_s=1, load_s=3)
    found = run(large, 300, LatencyRequest())

    assert spent_s(found.trials) <= 300
    assert {name: sum(found.asked[name]) >= 6 for name in JUDGED} == {
        **dict.fromkeys(TIERS, True),
        "two-stage": False,
    }
    assert found.asked["two-stage"]


def test_failing_tiers_of_large_models_are_decided_by_one_query_in_each_of_six_processes() -> None:
    slow = Machine({"fast": 4.0, "balanced": 10.0, "deep": 40.0}, start_s=1, load_s=3)
    found = run(slow, 1200, ALONE)

    assert found.statuses() == {"fast": "fail", "balanced": "fail", "deep": "fail"}
    assert spent_s(found.trials) < 1200


def test_tiny_models_are_asked_all_there_is_and_the_run_ends_once_everything_is_decided() -> None:
    found = run(Machine({"fast": 0.033, "balanced": 0.033, "deep": 0.033, "two-stage": 0.07}, load_s=0.1), 300)

    assert found.statuses() == dict.fromkeys(JUDGED, "pass")
    assert {name: found.asked[name] for name in JUDGED} == dict.fromkeys(JUDGED, [15] * 6)
    assert {len(asked) for asked in found.asked.values()} == {6}
    assert spent_s(found.trials) < 100
    assert found.stopped == "nothing is left to decide"
    assert left_out(found.cases, found.trials) == []


def test_a_machine_that_becomes_slower_is_planned_anew() -> None:
    """At the end each query takes three times as long as at first: fewer of them, and still in time."""
    slower = replace(EMBEDDED, slower=lambda spent: 1 + spent / 90)
    found = run(slower, 180, subject="sample")

    assert spent_s(found.trials) <= 185
    assert min(len(found.asked[name]) for name in JUDGED) >= 5
    assert found.statuses()["fast"] == "pass"


def test_without_a_limit_everything_is_measured_in_full() -> None:
    found = run(EMBEDDED, None, subject="sample")

    assert {len(asked) for asked in found.asked.values()} == {6}
    assert {name: sum(found.asked[name]) for name in JUDGED} == dict.fromkeys(JUDGED, 90)


# --- what is decided, and what is compared ---------------------------------------------------------------------------


def test_a_decided_tier_is_asked_no_more_while_another_goes_on() -> None:
    """FAST at 85 % of its limit of 2 s takes more than six processes; the others are far from theirs."""
    found = run(Machine({"fast": 1.55, "balanced": 0.1, "deep": 0.1, "two-stage": 0.2}), 3600)

    assert len(found.asked["fast"]) > 6
    assert found.statuses()["fast"] == "pass"
    assert {len(asked) for name, asked in found.asked.items() if name != "fast"} == {6}


def test_a_tier_on_its_limit_goes_on_until_the_time_is_spent_and_takes_nothing_from_the_comparisons() -> None:
    found = run(Machine({"fast": 1.8, "balanced": 0.1, "deep": 0.1, "two-stage": 0.2}), 900)

    assert found.statuses()["fast"] == "inconclusive"
    assert {len(asked) for name, asked in found.asked.items() if name != "fast"} == {6}
    assert found.stopped.startswith("the time is spent")


def test_what_is_compared_is_spread_over_the_run() -> None:
    """Both must see the same machine: all comparisons at the end would be compared with another hour of it."""
    order = run(EMBEDDED, 400, subject="sample").order

    places = [place / len(order) for place, name in enumerate(order) if name not in JUDGED]
    assert min(places) < 0.25
    assert max(places) > 0.75
    assert sum(places) / len(places) == pytest.approx(0.5, abs=0.12)


def test_each_block_has_one_of_each_judged_case_in_an_order_of_its_own() -> None:
    order = [name for name in run(EMBEDDED, 180, subject="sample").order if name in JUDGED]
    blocks = [order[start : start + 4] for start in range(0, len(order), 4)]

    assert all(sorted(block) == sorted(JUDGED) for block in blocks)
    assert len({tuple(block) for block in blocks}) > 1
    assert order == [name for name in run(EMBEDDED, 180, subject="sample").order if name in JUDGED]


def test_fewer_processes_can_be_asked_for() -> None:
    found = run(EMBEDDED, 600, subject="sample", minimum=2)
    assert {len(asked) for asked in found.asked.values()} == {2}


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_tier_that_cannot_be_measured_is_given_up_and_the_others_are_measured() -> None:
    broken = Failure("error", "tier deep: broken", "mend it", arm="deep")
    names = ("deep", "deep prefix=warm", "deep api=high-level")
    found = run(replace(EMBEDDED, failing=dict.fromkeys(names, broken)), 600, subject="sample")

    assert {name: len(found.asked[name]) for name in JUDGED} == {**dict.fromkeys(JUDGED, 6), "deep": 0}
    assert found.order.count("deep") == 2
    assert "given up after failures: deep" in found.stopped


def test_nothing_goes_on_forever_where_every_trial_fails() -> None:
    broken = Failure("error", "no memory", "buy some")
    cases = plan_latency(TIERS, built_in_queries(), SHORT, FACTORY)
    found = run(replace(EMBEDDED, failing={case.name: broken for case in cases}), 600)

    assert len(found.trials) == 2 * len(cases)


def test_a_first_trial_that_fails_and_takes_all_the_time_ends_the_run() -> None:
    hung = Failure("time-out", "no end after 63.0 s", "allow more", arm="two-stage")
    cases = plan_latency(TIERS, built_in_queries(), SHORT, FACTORY)
    found = run(replace(EMBEDDED, start_s=63.0, failing={case.name: hung for case in cases}), 40)

    assert len(found.trials) == 1


def test_a_trial_that_does_not_tell_what_it_asked_counts_as_getting_ready() -> None:
    spec = TrialSpec("tier_latency", "fast", {"tier": "fast"}, {})
    pace = pace_of([Trial(spec, 1, (), 9.0), Trial(spec, 2, (), 9.0, {"asked": 2, "asked_s": 3.0})])

    assert pace is not None
    assert (pace.ready_s, pace.query_s) == (7.5, 0.75)
    assert asked_in(Trial(spec, 1, (), 9.0)) == (0, 0.0)
    assert pace_of([]) is None
