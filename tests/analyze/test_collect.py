"""Do trials become the metrics that a result file keeps?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.collect import SAMPLES_AT_MOST, metrics_of
from synapse_perf.analyze.disturbance import is_disturbed
from synapse_perf.model import Failure, Measurement, Sample, Trial, TrialRecord, TrialSpec
from tests.analyze.trials import DEFINITIONS, spec, trial

CROWDED = {"cpu_pressure": 0.5}


def start(seconds: float, phase: float, **facts: float) -> Sample:
    values = (Measurement("model_startup_time", seconds), Measurement("phase_time", phase, {"phase": "tensors"}))
    return Sample(values, facts)


def one_process(of: TrialSpec, *samples: Sample, process: int = 1, failure: Failure | None = None) -> Trial:
    return Trial(of, process, samples, 1.0, failure=failure)


def test_metrics_are_told_apart_by_name_and_labels_in_the_order_first_seen() -> None:
    cold, warm = spec(model="a", cache="cold"), spec(model="a", cache="warm")
    metrics = metrics_of([one_process(cold, start(3, 1)), one_process(warm, start(2, 1))], DEFINITIONS)
    assert [metric.key for metric in metrics] == [
        "model_startup_time{cache=cold,model=a}",
        "phase_time{cache=cold,model=a,phase=tensors}",
        "model_startup_time{cache=warm,model=a}",
        "phase_time{cache=warm,model=a,phase=tensors}",
    ]


def test_each_process_is_a_record_under_its_arm() -> None:
    trials = [one_process(spec("read"), start(3, 1), process=1), one_process(spec("read"), start(4, 1), process=2)]
    startup = metrics_of(trials, DEFINITIONS)[0]
    assert startup.trials == (TrialRecord("read", 1, (3.0,)), TrialRecord("read", 2, (4.0,)))
    assert (startup.summary.count, startup.summary.processes, startup.unit, startup.better) == (2, 2, "s", "lower")


def test_facts_go_with_the_first_measurement_of_their_sample_alone() -> None:
    trials = [one_process(spec(), start(3, 1, read_bytes=10), start(4, 1, resident_before=0.5))]
    startup, phase = metrics_of(trials, DEFINITIONS)
    assert startup.trials[0].facts == {"read_bytes": (10, None), "resident_before": (None, 0.5)}
    assert phase.trials[0].facts == {}


def test_the_labels_of_a_measurement_are_added_to_those_of_its_trial() -> None:
    metrics = metrics_of([trial(spec(model="a"), 1.0)], DEFINITIONS)
    assert metrics[0].labels == {"device": "cpu", "model": "a"}


def test_a_failed_trial_contributes_what_it_had() -> None:
    broken = one_process(spec(), start(3, 1), failure=Failure("crash", "aborted"))
    assert metrics_of([broken], DEFINITIONS)[0].trials[0].samples == (3.0,)


def test_a_trial_without_samples_is_no_record() -> None:
    assert metrics_of([one_process(spec())], DEFINITIONS) == ()


def test_samples_beyond_the_most_are_counted_and_not_kept() -> None:
    trials = [one_process(spec(), *(start(1, 1, fact=1) for _ in range(SAMPLES_AT_MOST + 7)))]
    record = metrics_of(trials, DEFINITIONS)[0].trials[0]
    assert (len(record.samples), len(record.facts["fact"]), record.dropped) == (SAMPLES_AT_MOST, SAMPLES_AT_MOST, 7)


def test_a_metric_that_no_benchmark_defines_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="speed"):
        metrics_of([one_process(spec(), Sample((Measurement("speed", 1.0),)))], DEFINITIONS)


def test_what_others_took_is_told_once_however_many_samples_there_are() -> None:
    crowded = replace(one_process(spec(), start(3, 1, read_bytes=10), start(4, 1, read_bytes=20)), contention=CROWDED)
    startup, phase = metrics_of([crowded], DEFINITIONS)

    assert startup.trials[0].facts == {"read_bytes": (10, 20), "cpu_pressure": (0.5,)}
    assert phase.trials[0].facts == {}
    assert is_disturbed(startup.trials[0])
