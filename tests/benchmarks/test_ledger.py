from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.ledger import COUNTED, Ledger, before_the_benchmark
from synapse_perf.host.counters import Counters, snapshot

START = snapshot()


def at(ns: int, **counted: Any) -> Counters:
    return START._replace(at_ns=ns, **counted)


def ledger_of(*spans: tuple[str, Counters, Counters]) -> Ledger:
    ledger = Ledger()
    ledger.spans.extend(spans)
    return ledger


def test_a_stage_takes_from_its_beginning_to_its_end() -> None:
    ledger = Ledger()
    with ledger.stage("open"):
        inside = snapshot()
    ((name, start, end),) = ledger.spans

    assert name == "open"
    assert start.at_ns <= inside.at_ns <= end.at_ns
    assert ledger.durations_s() == {"open": pytest.approx((end.at_ns - start.at_ns) * 1e-9)}


def test_a_stage_that_failed_is_none() -> None:
    ledger = Ledger()
    with pytest.raises(ZeroDivisionError), ledger.stage("open"):
        _ = 1 / 0

    assert ledger.spans == []


def test_stages_keep_their_order_and_one_met_twice_adds_up() -> None:
    ledger = ledger_of(
        ("b", at(0), at(2_000)),
        ("a", at(2_500), at(3_000)),
        ("b", at(10_000), at(13_000)),
        ("c", at(20_000), at(20_000)),
    )

    assert list(ledger.durations_s().items()) == [("b", pytest.approx(5e-6)), ("a", pytest.approx(5e-7)), ("c", 0.0)]
    assert list(ledger.durations_s(("a", "b", "other"))) == ["a", "b"]


def test_faults_and_bytes_are_counted_by_stage() -> None:
    before = at(0, major_faults=3, minor_faults=100, read_bytes=4096)
    after = at(5, major_faults=8, minor_faults=150, read_bytes=8192)

    assert ledger_of(("open", before, after)).counts() == {
        "open.major_faults": 5,
        "open.minor_faults": 50,
        "open.read_bytes": 4096,
    }


def test_what_the_platform_does_not_count_has_no_figure() -> None:
    unknown = at(0, read_bytes=None)

    assert "open.read_bytes" not in ledger_of(("open", unknown, unknown)).counts()
    assert len(ledger_of(("open", at(0), at(1))).counts()) <= len(COUNTED)


def test_a_stage_met_twice_counts_both_times() -> None:
    spans = (at(0, minor_faults=100), at(1, minor_faults=105)), (at(2, minor_faults=200), at(3, minor_faults=220))
    ledger = ledger_of(*(("next", *span) for span in spans))

    assert ledger.counts()["next.minor_faults"] == 25


def test_what_comes_before_the_first_stage_is_told_apart() -> None:
    look = (20_000, 0, None), (50_000, 0, None)
    context = Context({}, 1_000, 11_000, look, lambda *_, **__: None)

    before = before_the_benchmark(context, ledger_of(("import.faiss", at(90_000), at(95_000))))

    assert before == {
        "interpreter": pytest.approx(10e-6),
        "first_import": pytest.approx(30e-6),
        "harness": pytest.approx(40e-6),
    }
