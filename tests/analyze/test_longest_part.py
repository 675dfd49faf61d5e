"""The part of a start that takes longest is named, and a short one is no bottleneck."""

from __future__ import annotations

from synapse_perf.analyze.longest_part import longest_part


def test_the_longest_phase_is_named_with_its_share() -> None:
    found = longest_part({"metadata": 0.5, "vocabulary": 3.0, "context": 0.5})

    assert found is not None
    assert found.cause == "75.0 % of 4.00 s is building the tokenizer (3.00 s)"
    assert (found.severity, found.gain) == ("medium", None)


def test_a_part_that_is_most_of_its_phase_stands_for_it() -> None:
    found = longest_part({"tensors": 1.0, "context": 4.0, "context.device": 0.5, "context.kv_cache": 3.0})

    assert found is not None
    assert found.evidence == {"part": "context.kv_cache", "part_s": 3.0, "whole_s": 5.0}
    assert "type_k=8" in found.change


def test_a_part_that_is_not_most_of_its_phase_does_not() -> None:
    found = longest_part({"context": 4.0, "context.graph": 1.5, "context.kv_cache": 1.4})

    assert found is not None
    assert found.evidence["part"] == "context"


def test_the_whole_that_is_known_better_counts() -> None:
    found = longest_part({"tensors": 1.0, "context": 0.5}, whole_s=2.0)

    assert found is not None
    assert found.cause.startswith("50.0 % of 2.00 s is ")


def test_many_equal_phases_are_no_bottleneck() -> None:
    assert longest_part({f"phase{number}": 1.0 for number in range(6)}) is None
    assert longest_part({}) is None


def test_what_nobody_waits_for_is_only_told() -> None:
    found = longest_part({"context": 0.01})

    assert found is not None
    assert found.severity == "info"
