"""Stages are grouped by their other labels, added up within each process, and nothing that was measured is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.report.retrieval_runs import Measured, difference, stage_label, sum_of
from tests.report.retrieval_blocks import measured
from tests.report.retrieval_examples import COLD, first_retrieval, full, metric, retriever, warm


def test_a_sum_is_made_within_each_process_and_not_of_medians() -> None:
    # By hand: 1+6, 2+5, 3+4, 4+3, 5+2, 6+1 are all 7, though the medians are 3.5 each and could add up to anything.
    rising = metric("retrieval_latency", {"stage": "a"}, [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    falling = metric("retrieval_latency", {"stage": "b"}, [[6.0], [5.0], [4.0], [3.0], [2.0], [1.0]])
    whole = sum_of([rising, falling])
    assert whole is not None
    assert [trial.samples for trial in whole.trials] == [(7.0,)] * 6
    assert whole.summary.interval is not None
    assert (whole.summary.interval.low, whole.summary.interval.high) == (7.0, 7.0)


def test_a_process_that_lacks_a_stage_is_left_out() -> None:
    whole = metric("retrieval_latency", {"stage": "total"}, [[5.0], [6.0]])
    part = metric("retrieval_latency", {"stage": "a"}, [[1.0]])
    left = difference(whole, part)
    assert left is not None
    assert [trial.samples for trial in left.trials] == [(4.0,)]
    assert difference(whole, metric("retrieval_latency", {"stage": "a"}, [[1.0]], arm="another")) is None


def test_stages_come_in_their_order_whatever_the_order_of_the_trials() -> None:
    shuffled = tuple(reversed(first_retrieval("process-cold", {**COLD, "new_stage": 0.1, "residual": 0.1})))
    group = measured(*shuffled).find(state="process-cold")
    assert group is not None
    assert list(group.stages) == [
        "open", "metadata", "embed", "glue", "search", "filter", "pack", "new_stage", "residual"
    ]  # fmt: skip


def test_an_import_of_another_module_stands_with_the_imports() -> None:
    group = measured(*first_retrieval("process-cold", {"encoder": 0.1, "import.torch": 2.0})).find(state="process-cold")
    assert group is not None
    assert list(group.stages) == ["import.torch", "encoder"]


def test_labels_are_matched_exactly_but_for_the_subject() -> None:
    found = Measured(full())
    plain, variant = found.find(state="warm"), found.find(state="warm", variant="omp_threads=2")
    assert plain is not None
    assert variant is not None
    assert plain.labels == {"state": "warm"}
    assert found.find(state="nothing") is None
    assert Measured(retriever()).find(state="cold") is not None


def test_what_no_section_took_is_left() -> None:
    found = measured(*warm(), metric("index_build_time", {}, [[1.0]] * 6))
    assert found.take(state="warm") is not None
    assert [one.name for one in found.left()] == ["index_build_time"]


def test_finding_is_not_showing() -> None:
    found = measured(*warm())
    found.find(state="warm")
    assert len(found.left()) == 6


def test_a_metric_without_samples_is_none() -> None:
    empty = replace(warm()[0], trials=(), summary=replace(warm()[0].summary, count=0))
    assert measured(empty).left() == []


@pytest.mark.parametrize(
    ("stage", "label"),
    [("import.llama_cpp", "import llama_cpp"), ("new_stage", "new stage"), ("first_retrieve", "first retrieve()")],
)
def test_stages_have_words(stage: str, label: str) -> None:
    assert stage_label(stage) == label
