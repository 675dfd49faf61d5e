from __future__ import annotations

import pytest

from synapse_perf.analyze.retrieval_stages import find_stage, median_s, per_process, stages_of, sum_per_process
from tests.analyze.made_retrievals import ANSWER_S, around, latency, openings, state, warm
from tests.analyze.trials import metric

OPENED = {"open": 0.03, "metadata": 0.01, **ANSWER_S}


def test_the_stages_of_a_state_come_in_the_order_measured() -> None:
    metrics = [*warm(), *state("cold", OPENED), *openings({"read": (0.1, 0.2)}), *warm(variant="omp_threads=1")]

    assert list(stages_of(metrics, "cold")) == ["total", *OPENED]
    assert stages_of(metrics, "preloaded") == {}
    assert stages_of(metrics, "cold")["open"].summary.median == pytest.approx(0.03)


def test_a_variant_is_another_state() -> None:
    metrics = [*warm(search=0.5), *warm(search=0.25, variant="omp_threads=1")]

    for variant, search_s in (("", 0.5), ("omp_threads=1", 0.25)):
        found = stages_of(metrics, "warm", variant)["search"]
        assert median_s(found) == pytest.approx(search_s, rel=0.01)
    assert stages_of(metrics, "warm", "omp_threads=2") == {}


@pytest.mark.parametrize("first", ["proven", "not proven"])
def test_what_was_proven_cold_goes_before_what_was_not(first: str) -> None:
    proven = [*state("cold", {"open": 0.03}), *openings({"read": (0.03, 0.01)})]
    other = [
        *state("cold", {"open": 0.001, "metadata": 0.004}, 2, cache="uncertified"),
        latency([0.001], state="cold", open="read", stage="open", cache="uncertified"),
    ]
    metrics = [*proven, *other] if first == "proven" else [*other, *proven]

    stages = stages_of(metrics, "cold")
    assert median_s(stages["open"]) == pytest.approx(0.03)
    assert median_s(stages["metadata"]) == pytest.approx(0.004)  # seen in no other
    opening = find_stage(metrics, state="cold", open="read", stage="open")
    assert opening is not None
    assert median_s(opening) == pytest.approx(0.03)


def test_what_has_no_sample_is_not_there() -> None:
    empty = metric([], name="retrieval_latency", labels={"state": "cold", "stage": "open"})

    assert stages_of([empty], "cold") == {}
    assert find_stage([empty], state="cold", stage="open") is None


def test_other_metrics_are_no_stages() -> None:
    other = metric([1.0], name="recall", labels={"state": "cold", "stage": "open"})
    assert stages_of([other], "cold") == {}


def test_parts_are_added_process_by_process() -> None:
    first, second = latency([1.0, 2.0, 3.0], stage="open"), latency([10.0, 20.0, 30.0], stage="metadata")

    assert sum_per_process([first, second]) == [11.0, 22.0, 33.0]
    assert sum_per_process([first]) == [1.0, 2.0, 3.0]


def test_a_process_counts_once_whatever_it_answered() -> None:
    many = metric([1.0, 2.0, 9.0], [], [4.0, 6.0], name="retrieval_latency", labels={"stage": "total"})

    assert per_process(many) == [2.0, 5.0]


def test_the_median_is_that_of_the_report_and_of_the_samples_where_they_are_few() -> None:
    assert median_s(latency([3.0, 1.0, 2.0], stage="total")) == 2.0
    many = latency(around(0.05, 9), stage="total")
    assert median_s(many) == many.summary.median
