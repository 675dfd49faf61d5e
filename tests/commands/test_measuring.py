"""How much is measured and by which limits: options before the profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.sampling import Arm, Bounds, fixed
from synapse_perf.analyze.targets import find_target
from synapse_perf.benchmarks.bench_cgrag import METRICS
from synapse_perf.commands.measuring import DEFAULT_MAX_TIME_S, Effort, carry_out, effort_of
from synapse_perf.commands.options import CommonOptions
from synapse_perf.errors import InputError
from synapse_perf.measure.session import Outcome
from synapse_perf.model import TrialSpec
from synapse_perf.profiles import Profile, load_profile
from tests.analyze.trials import spec, trial


def profile(**sampling: object) -> Profile:
    plain = load_profile("embedded")
    return replace(plain, sampling=replace(plain.sampling, **sampling), targets={})  # type: ignore[arg-type]


def effort(options: CommonOptions | None = None, **sampling: object) -> Effort:
    return effort_of(profile(**sampling), options or CommonOptions())


def test_options_go_before_the_profile() -> None:
    found = effort(
        CommonOptions(trials=9, max_time="90s", confidence=0.9, seed=0),
        trials=7,
        max_time_s=5.0,
        confidence=0.99,
        seed=3,
    )

    assert (found.bounds.minimum, found.bounds.max_time_s, found.confidence, found.seed) == (9, 90.0, 0.9, 0)


def test_the_profile_decides_where_no_option_does() -> None:
    found = effort(trials=7, max_time_s=5.0, confidence=0.99, seed=3)

    assert (found.bounds.minimum, found.bounds.max_time_s, found.confidence, found.seed) == (7, 5.0, 0.99, 3)


def test_without_a_word_there_are_six_processes_and_an_end() -> None:
    found = effort(trials=None, max_time_s=None, seed=None)

    assert (found.bounds.minimum, found.bounds.max_time_s) == (Bounds().minimum, DEFAULT_MAX_TIME_S)
    assert isinstance(found.seed, int)


def test_more_trials_than_usual_are_allowed_where_they_are_asked_for() -> None:
    assert effort(CommonOptions(trials=500)).bounds.maximum == 500


def test_a_limit_of_the_option_replaces_that_of_the_profile() -> None:
    with_limits = replace(profile(), targets={"cgrag-cold": 0.3, "cgrag-warm": 0.2})
    found = effort_of(with_limits, CommonOptions(target=["cgrag-cold<40ms"]))

    limits = {name: find_target(name, found.targets).limit for name in ("cgrag-cold", "cgrag-warm", "query-fast")}
    assert limits == {"cgrag-cold": 0.04, "cgrag-warm": 0.2, "query-fast": 2.0}


@pytest.mark.parametrize(
    "options",
    [CommonOptions(target=["cgrag-cold>40ms"]), CommonOptions(target=["x<1s"]), CommonOptions(max_time="soon")],
)
def test_what_is_no_limit_or_no_duration_is_told(options: CommonOptions) -> None:
    with pytest.raises(InputError):
        effort(options)


def test_the_plan_says_what_was_asked_for_and_why_it_ended() -> None:
    found = effort(CommonOptions(trials=1, seed=4), max_time_s=60.0)
    judgement = found.judgement(METRICS, "embedded", "sample")
    arms = [Arm("only", spec(), repeats=1)]
    outcome = Outcome((trial(spec(), 0.1),), is_interrupted=False)

    plan = found.plan(outcome, arms, judgement, 120.0)
    assert {name: plan[name] for name in ("trials", "max_time_s", "timeout_s", "seed")} == {
        "trials": 1,
        "max_time_s": 60.0,
        "timeout_s": 120.0,
        "seed": 4,
    }
    assert plan["stopped"] != "interrupted"
    assert found.plan(replace(outcome, is_interrupted=True), arms, judgement, 120.0)["stopped"] == "interrupted"


def test_trials_are_carried_out_with_their_progress_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    one = TrialSpec("tests.measure.faulty", "planted", {}, {"behaviour": "succeed"}, samples=2)

    outcome = carry_out(fixed([one, one]), 2, quiet=True)

    assert [len(done.samples) for done in outcome.trials] == [2, 2]
    assert capsys.readouterr().out == ""
