"""Is the table the one of the contract, and is an option of a user read as it was meant?"""

from __future__ import annotations

import pytest

from synapse_perf.analyze.targets import TARGETS, find_target, parse_target_option, with_limits
from synapse_perf.errors import InputError
from synapse_perf.profiles.targets import TARGET_UNITS


def test_the_table_of_the_contract() -> None:
    rows = {one.id: (one.metric, one.statistic, one.limit, one.unit, one.minimum) for one in TARGETS}
    assert rows == {
        "docker-startup": ("service_startup_time", "median", 5.0, "s", 6),
        "model-startup-metal": ("model_startup_time", "median", 5.0, "s", 6),
        "model-startup-cpu": ("model_startup_time", "median", 15.0, "s", 6),
        "cgrag-cold": ("retrieval_latency", "median", 0.1, "s", 6),
        "cgrag-warm": ("retrieval_latency", "p95", 0.05, "s", 6),
        "query-fast": ("query_latency", "p90", 2.0, "s", 6),
        "query-balanced": ("query_latency", "p90", 5.0, "s", 6),
        "query-deep": ("query_latency", "p90", 15.0, "s", 6),
        "query-two-stage": ("query_latency", "p90", 15.0, "s", 6),
        "ui-animation": ("frame_rate", "median", 60.0, "1/s", 6),
        "websocket-latency": ("websocket_latency", "p95", 0.05, "s", 3),
    }


def test_profiles_may_change_the_targets_of_the_table_and_no_others() -> None:
    assert {target.id: target.unit for target in TARGETS} == TARGET_UNITS


def test_only_the_frame_rate_is_better_when_higher() -> None:
    assert [target.id for target in TARGETS if target.better == "higher"] == ["ui-animation"]


@pytest.mark.parametrize(
    ("labels", "judged_by"),
    [
        ({"cache": "cold", "device": "cpu", "model": "a"}, "model-startup-cpu"),
        ({"cache": "cold", "device": "metal"}, "model-startup-metal"),
        ({"cache": "warm", "device": "cpu"}, None),
        ({"cache": "uncertified", "device": "cpu"}, None),
        ({"cache": "cold", "device": "cuda"}, None),
        ({"cache": "cold", "device": "cpu", "variant": "load_mode=read"}, None),
        ({"cache": "cold", "device": "cpu", "variant": ""}, "model-startup-cpu"),
    ],
)
def test_which_starts_are_judged(labels: dict[str, str], judged_by: str | None) -> None:
    found = [target.id for target in TARGETS if target.judges("model_startup_time", labels)]
    assert found == ([judged_by] if judged_by else [])


@pytest.mark.parametrize(
    ("labels", "judged_by"),
    [
        ({"tier": "fast", "complexity": "simple"}, "query-fast"),
        ({"tier": "fast", "complexity": "complex"}, None),
        ({"tier": "fast"}, "query-fast"),
        ({"tier": "balanced", "complexity": "complex"}, "query-balanced"),
        ({"tier": "powerful"}, "query-deep"),
        ({"tier": "two-stage"}, "query-two-stage"),
    ],
)
def test_which_queries_are_judged(labels: dict[str, str], judged_by: str | None) -> None:
    found = [target.id for target in TARGETS if target.judges("query_latency", labels)]
    assert found == ([judged_by] if judged_by else [])


def test_queries_are_judged_on_another_percentile_in_ci() -> None:
    statistics = {one.id: (one.statistic_in("laptop"), one.statistic_in("ci-cpu")) for one in TARGETS}
    assert statistics["query-fast"] == ("p90", "p95")
    assert statistics["cgrag-warm"] == ("p95", "p95")
    assert statistics["model-startup-cpu"] == ("median", "median")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model-startup-cpu<10s", ("model-startup-cpu", 10.0)),
        ("cgrag-warm<100ms", ("cgrag-warm", 0.1)),
        (" query-deep <= 1.5m ", ("query-deep", 90.0)),
        ("query-fast<3", ("query-fast", 3.0)),
        ("ui-animation>50fps", ("ui-animation", 50.0)),
    ],
)
def test_an_option_gives_the_limit_in_base_units(text: str, expected: tuple[str, float]) -> None:
    assert parse_target_option(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model-startup-cpu", "is not a target"),
        ("query-quick<2s", "no target 'query-quick'"),
        ("query-fast>2s", "other side"),
        ("ui-animation<50fps", "other side"),
        ("query-fast<soon", "soon"),
        ("query-fast<0s", "query-fast"),
        ("query-fast<", ""),
    ],
)
def test_an_option_that_is_wrong_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_target_option(text)
    assert words in caught.value.message
    assert caught.value.remedy


def test_an_unknown_target_lists_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        find_target("x")
    assert all(target.id in caught.value.remedy for target in TARGETS)


def test_limits_replace_those_of_the_table_and_nothing_else() -> None:
    changed = with_limits({"query-fast": 3.0})
    assert find_target("query-fast", changed).limit == 3.0
    assert [one for one in changed if one.id != "query-fast"] == [one for one in TARGETS if one.id != "query-fast"]


def test_a_limit_for_no_target_is_refused() -> None:
    with pytest.raises(InputError):
        with_limits([("query-quick", 3.0)])
