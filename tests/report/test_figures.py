from __future__ import annotations

import pytest

from synapse_perf.model import Gain, metric_key
from synapse_perf.report import figures
from tests.report.examples import metric

LABELS = {"model": "m", "cache": "cold"}


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (2.9, 3.3, "s", "2.90–3.30 s"),
        (0.987, 1.08, "s", "987 ms–1.08 s"),
        (1.0, 1.2, "1", "1.00–1.20"),
        (-0.2, 0.5, "s", "-200 ms to 500 ms"),
        (119.0, 125.0, "s", "119 s–2 min 5 s"),
        (1.0, 2.0, "1/s", "1.00–2.00 1/s"),
    ],
)
def test_range(low: float, high: float, unit: str, text: str) -> None:
    assert figures.format_range(low, high, unit) == text


def test_spread_names_count_and_interval() -> None:
    assert figures.format_spread(metric("m", LABELS, 2.0)) == "n=6, 95 % 1.94–2.12 s"


def test_spread_of_few_samples_shows_what_was_seen() -> None:
    assert figures.format_spread(metric("m", LABELS, 2.0, count=3)) == "n=3, too few for a median, seen 1.94–1.99 s"


def test_one_sample_has_no_interval() -> None:
    assert figures.format_spread(metric("m", LABELS, 2.0, count=1)) == "n=1, one sample has no interval"


def test_a_middle_that_too_few_samples_support_is_marked() -> None:
    assert figures.format_middle(metric("m", LABELS, 2.0, count=3)) == "~1.98 s"
    assert figures.format_middle(metric("m", LABELS, 2.0)) == "2.00 s"


def test_what_is_absent_is_no_zero() -> None:
    assert figures.format_middle(None) == "not known"
    assert figures.fact_median(metric("m", LABELS, 2.0), "read_bytes") is None


def test_facts_that_could_not_be_known_are_left_out() -> None:
    assert figures.fact_values(metric("m", LABELS, 2.0, facts={"resident_before": None}), "resident_before") == []


def test_an_interval_of_another_statistic_is_not_shown() -> None:
    assert figures.format_interval(metric("m", LABELS, 2.0), "p95") == "none"


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"model": "qwen3-4b", "cache": "cold"},
        {"model": "m", "cache": "cold", "variant": "load_mode=read,n_gpu_layers=16"},
    ],
)
def test_labels_can_be_read_back_from_a_key(labels: dict[str, str]) -> None:
    assert figures.labels_of(metric_key("model_startup_time", labels), {}) == labels


def test_where_orders_as_people_say_it() -> None:
    labels = {"cache": "cold", "tier": "fast", "device": "metal", "model": "m", "phase": "tensors"}
    assert figures.where_of(labels) == "m, fast, metal, cold"


def test_where_names_the_arm_once() -> None:
    assert figures.where_of({"model": "m"}, "mmap") == "m, mmap"
    assert figures.where_of({"model": "m", "variant": "load_mode=read"}, "read") == "m, load_mode=read"
    assert figures.where_of({}, "") == ""


def test_evidence_reads_its_units_from_the_names() -> None:
    evidence = {
        "tensors_s": 1.94,
        "read_bytes": 1024,
        "efficiency_share": 0.92,
        "pairs": 8,
        "proven": True,
        "swap": None,
    }
    told = "tensors 1.94 s, read 1.00 KiB, efficiency 92.0 %, pairs 8, proven yes, swap not known"
    assert figures.format_evidence(evidence) == told


def test_nested_evidence_is_readable() -> None:
    evidence = {"phases": [{"name": "tensors", "wall_s": 2.0}], "none": []}
    assert figures.format_evidence(evidence) == "phases (name tensors, wall 2.00 s), none none"


def test_what_a_mapping_holds_has_the_unit_of_its_name() -> None:
    evidence = {"medians_s": {"mmap": 0.81, "read": 0.92}, "range_bytes": [1024, 2048], "share_of_start": 0.32}
    told = "medians (mmap 810 ms, read 920 ms), range 1.00 KiB 2.00 KiB, share of start 32.0 %"
    assert figures.format_evidence(evidence) == told


def test_a_name_of_the_users_has_no_unit() -> None:
    assert figures.format_evidence({"functions": {"app.cache:keep_bytes": 3}}) == "functions (app.cache:keep_bytes 3)"


def test_a_rate_is_no_duration() -> None:
    assert figures.format_evidence({"offered_per_s": 289.0, "lag_p99_s": 0.04}) == "offered 289/s, lag p99 40.0 ms"


def test_empty_evidence_says_so() -> None:
    assert figures.format_evidence({}) == "not known yet"


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (None, "not known yet"),
        (Gain(1.5, 1.2, 1.8, "s", True), "1.50 s (1.20–1.80 s), measured"),
        (Gain(0.5, None, None, "s", False), "500 ms, estimated"),
    ],
)
def test_gain(gain: Gain | None, text: str) -> None:
    assert figures.format_gain(gain) == text


def test_a_confidence_has_no_unit_whatever_it_stands_within() -> None:
    told = figures.format_evidence({"saved_s": {"low": 0.01, "confidence": 0.95}})
    assert told == "saved (low 10.0 ms, confidence 0.95)"
