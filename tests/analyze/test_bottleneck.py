"""Planted starts: each kind of bound is named, with the figures it rests on."""

from __future__ import annotations

import pytest

from synapse_perf.analyze.bottleneck import bottlenecks, bound_of
from synapse_perf.analyze.load_starts import starts_of
from synapse_perf.model import Fact
from tests.analyze.made_starts import made_floor, made_start


def usage(phase: str, *, on_cpu: float, queue: float, blocked: float, **more: float) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        f"{phase}.on_cpu_s": on_cpu,
        f"{phase}.run_queue_s": queue,
        f"{phase}.blocked_s": blocked,
        f"{phase}.read_bytes": 0,
        f"{phase}.system_s": 0.0,
    }
    return facts | {f"{phase}.{name}": value for name, value in more.items()}


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (usage("tensors", on_cpu=0.1, queue=0.0, blocked=0.9, read_bytes=1e9), "disk"),
        (usage("tensors", on_cpu=0.95, queue=0.01, blocked=0.04), "cpu"),
        (usage("tensors", on_cpu=0.95, queue=0.0, blocked=0.05, system_s=0.8, minor_faults=1e5), "kernel"),
        (usage("tensors", on_cpu=0.4, queue=0.5, blocked=0.1), "contended"),
        (usage("tensors", on_cpu=0.6, queue=0.0, blocked=0.4, read_bytes=1e9), "mixed"),
        ({}, "unknown"),
    ],
)
def test_a_phase_is_classified_by_what_it_used(facts: dict[str, Fact], kind: str) -> None:
    start = starts_of(made_start(1.2, {"tensors": 1.0, "import": 0.2}, facts=facts))[0]

    assert bound_of(start, "tensors").kind == kind


def test_blocking_without_a_byte_read_is_not_called_the_disk() -> None:
    facts = usage("tensors", on_cpu=0.1, queue=0.0, blocked=0.9)
    start = starts_of(made_start(1.2, {"tensors": 1.0}, facts=facts))[0]

    assert bound_of(start, "tensors").kind == "mixed"


def test_a_start_that_waits_for_the_disk_gains_what_the_warm_one_shows() -> None:
    facts = usage("tensors", on_cpu=0.1, queue=0.0, blocked=1.9, read_bytes=2e9)
    metrics = [
        *made_start(3.0, {"tensors": 2.0, "import": 1.0}, facts=facts),
        *made_start(1.2, {"tensors": 0.2, "import": 1.0}, cache="warm"),
        made_floor(1.6),
    ]

    finding = bottlenecks(starts_of(metrics))[0]

    assert finding.evidence["phase"] == "tensors"
    assert finding.evidence["efficiency"] == pytest.approx(0.8)
    assert finding.gain is not None
    assert finding.gain.measured
    assert finding.gain.value == pytest.approx(1.8)
    assert finding.gain.low is not None
    assert finding.gain.high is not None
    assert finding.gain.low < 1.8 < finding.gain.high
    assert "cat MODEL" in finding.change


def test_weights_that_are_rewritten_at_each_start_are_named() -> None:
    facts = usage("tensors", on_cpu=0.95, queue=0.0, blocked=0.01) | {"buffer.CPU_REPACK.model": 3 * 2**30}

    finding = bottlenecks(starts_of(made_start(1.2, {"tensors": 1.0}, facts=facts)))[0]

    assert "3.00 GiB of weights are rewritten" in finding.change
    assert "--repack on,off" in finding.change


def test_a_warm_start_that_may_be_no_faster_promises_no_gain() -> None:
    facts = usage("tensors", on_cpu=0.1, queue=0.0, blocked=1.9, read_bytes=2e9)
    metrics = [*made_start(3.0, {"tensors": 2.0}, facts=facts), *made_start(2.95, {"tensors": 1.9}, cache="warm")]

    assert bottlenecks(starts_of(metrics))[0].gain is None


def test_a_tokenizer_bound_start_promises_no_gain() -> None:
    facts = usage("vocabulary", on_cpu=0.69, queue=0.0, blocked=0.01)
    finding = bottlenecks(starts_of(made_start(1.0, {"vocabulary": 0.7, "import": 0.3}, facts=facts)))[0]

    assert (finding.evidence["phase"], finding.evidence["bound"]) == ("vocabulary", "cpu")
    assert finding.gain is None


def test_what_was_not_measured_is_told_as_unknown() -> None:
    finding = bottlenecks(starts_of(made_start(1.0, {"import": 0.8, "tensors": 0.2})))[0]

    assert "cannot be told here" in finding.cause


def test_one_finding_for_each_model_from_its_cold_starts() -> None:
    metrics = [
        *made_start(1.0, {"tensors": 0.8}, model="fast"),
        *made_start(0.5, {"tensors": 0.3}, model="fast", cache="warm"),
        *made_start(2.0, {"context": 1.8}, model="deep", cache="warm"),
    ]

    found = bottlenecks(starts_of(metrics))

    assert [(one.evidence["model"], one.evidence["cache"], one.evidence["phase"]) for one in found] == [
        ("fast", "cold", "tensors"),
        ("deep", "warm", "context"),
    ]
