"""Which figures of a run does a gate judge?"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from synapse_perf.analyze.gate_figures import Figure, check_wanted, companions_of, figures_of, is_written_once
from synapse_perf.analyze.gate_targets import checks_over
from synapse_perf.errors import InputError
from synapse_perf.model import Check, CheckStatus, Metric, Result, Suite
from tests.analyze.trials import metric, single
from tests.made_results import made_result


def result_of(*metrics: Metric, checks: tuple[Check, ...] = ()) -> Result:
    return replace(made_result(), metrics=metrics, checks=checks)


def check(judged: Metric, status: CheckStatus = "pass") -> Check:
    return Check("model-startup-cpu", judged.key, "median", 2.0, "s", 1.0, status, "as it was")


def named(name: str, **more: object) -> Metric:
    return single(1, 2, 3, name=name, labels={}, **more)


def test_a_figure_is_the_median_over_processes_of_their_medians() -> None:
    (figure,) = figures_of(result_of(metric([1, 2, 30], [4], [5, 7]))).values()
    assert figure.value == 4
    (even,) = figures_of(result_of(metric([1], [2]))).values()
    assert even.value == 1.5


def test_no_samples_and_what_is_no_number_are_no_figure() -> None:
    assert math.isnan(figures_of(result_of(metric([])))[metric([]).key].value)
    assert math.isnan(figures_of(result_of(single(1, math.nan)))[single(1).key].value)


def test_what_is_only_shown_and_what_is_an_experiment_is_not_judged() -> None:
    shown, tried = named("shown", better="none"), single(1, name="tried", labels={"variant": "mmap"})
    assert list(figures_of(result_of(named("judged"), shown, tried))) == ["judged"]


def test_where_metrics_have_targets_those_and_exact_ones_have_to_be_decided() -> None:
    judged, aside, exact = named("judged"), named("aside"), named("recall", better="exact")
    figures = figures_of(result_of(judged, aside, exact, checks=(check(judged),)))
    assert {name: figure.is_principal for name, figure in figures.items()} == {
        "judged": True,
        "aside": False,
        "recall": True,
    }
    assert all(figure.is_principal for figure in figures_of(result_of(judged, aside)).values())
    assert figures_of(result_of(judged, aside, checks=(check(judged),)), ["aside"])["aside"].is_principal


@pytest.mark.parametrize(
    ("sides", "is_once"),
    [
        ([{"a": 1.0, "b": 2.0}] * 12, True),
        ([{"a": 1.0, "b": 2.0}] * 11 + [{"a": 1.0, "b": 2.1}], False),
        ([{"a": 1.0}] * 11 + [{}], False),
        ([{}] * 12, False),
        ([{"a": 1.0}], False),
    ],
)
def test_times_that_no_clock_gives_were_written_once(sides: list[dict[str, float]], is_once: bool) -> None:
    figures = [{name: Figure(value, "s", "lower") for name, value in side.items()} for side in sides]
    assert is_written_once(figures) == is_once
    counts = [{name: Figure(value, "B", "exact") for name, value in side.items()} for side in sides]
    assert not is_written_once(counts)  # bytes may well be the same every time


def test_a_name_of_no_metric_is_told_with_those_that_there_are() -> None:
    run = result_of(single(1, name="query_latency", labels={"tier": "fast"}), named("recall"))
    check_wanted(["query_*", "recall"], [run])
    with pytest.raises(InputError, match="--metric typo: no metric has this name") as raised:
        check_wanted(["recall", "typo"], [run])
    assert raised.value.remedy == "choose of these: query_latency, recall"


def test_metrics_are_chosen_by_name_and_by_pattern() -> None:
    labelled = single(1, name="query_latency", labels={"tier": "fast"})
    run = result_of(labelled, named("other"))
    for pattern in ("query_latency", "query*", "query_latency{tier=fast}"):
        assert list(figures_of(run, [pattern])) == ["query_latency{tier=fast}"]


def test_of_several_commands_each_metric_has_its_commands_name() -> None:
    other = replace(result_of(named("same")), benchmark="bench-cgrag")
    assert list(figures_of(Suite((result_of(named("same")), other), (), "pass"))) == [
        "profile-load: same",
        "bench-cgrag: same",
    ]


def test_a_metric_that_is_there_twice_and_a_negative_time_are_wrong_input() -> None:
    with pytest.raises(InputError, match="is there twice"):
        figures_of(result_of(named("same"), named("same")))
    with pytest.raises(InputError, match="a time below zero"):
        figures_of(result_of(single(1, -1)))
    assert figures_of(result_of(single(1, -1, unit="B")))


# --- targets over all runs -------------------------------------------------------------------------------------------


def test_a_target_is_judged_by_the_processes_of_all_runs() -> None:
    slow = single(3.0)
    runs = [result_of(slow, checks=(check(slow, "inconclusive"),))] * 12
    (found,) = checks_over(runs)
    assert (found.status, found.observed) == ("fail", 3.0)
    (few,) = checks_over(runs[:3])
    assert few.status == "inconclusive"


def test_a_target_that_was_not_measured_stays_so() -> None:
    slow = single(3.0)
    (found,) = checks_over([result_of(slow, checks=(check(slow, "not-measured"),))] * 12)
    assert (found.status, found.reason) == ("not-measured", "as it was")
    assert checks_over([]) == ()


def test_the_fastest_sample_accompanies_a_time_that_has_several() -> None:
    run = result_of(metric([3, 2, 9], [4]), single(1, 2, name="few", labels={}), named("rate", unit="1/s"))
    (key,) = [name for name in companions_of(run) if name.startswith("model_startup_time")]
    found = companions_of(run)
    assert list(found) == [key]
    assert (found[key].value, found[key].stands_for) == (2, metric([1]).key)
    assert math.isnan(companions_of(result_of(single(1, 2, math.nan)))[key].value)
