"""What is written can be read again, reads well, and is valid JSON."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from synapse_perf import results
from synapse_perf.errors import MeasurementError
from synapse_perf.model import Result
from synapse_perf.results import reading
from tests.made_results import CONTRACT_EXAMPLE, made_result, made_suite, plain, validator, with_samples, written
from tests.results.strategies import made_results


def test_a_result_survives_writing_and_reading(tmp_path: Path) -> None:
    results.write(tmp_path / "r.json", made_result())

    assert results.load(tmp_path / "r.json") == made_result()


def test_a_suite_survives_writing_and_reading(tmp_path: Path) -> None:
    results.write(tmp_path / "s.json", made_suite())

    assert results.load(str(tmp_path / "s.json")) == made_suite()


@settings(max_examples=60, deadline=None)
@given(made_results)
def test_any_result_loads_again_as_the_same_text_and_fits_the_schema(result: Result) -> None:
    text = results.dumps(result)

    assert results.dumps(reading.parse(text.encode(), "r.json")) == text
    validator().validate(json.loads(text))


def test_the_example_of_the_contract_is_accepted(tmp_path: Path) -> None:
    loaded = results.load(written(tmp_path / "r.json", CONTRACT_EXAMPLE))

    assert isinstance(loaded, Result)
    assert (loaded.metrics[0].trials[0].samples, loaded.metrics[0].summary.median) == ((3.1,), 3.05)
    validator().validate(json.loads(CONTRACT_EXAMPLE))


def test_written_keys_come_in_the_order_of_the_contract() -> None:
    # The contract names the statuses of leaks and leaves open where a leak hunt writes them: last.
    assert list(plain(made_result())) == [*json.loads(CONTRACT_EXAMPLE), "leaks"]


def test_the_same_result_gives_the_same_text() -> None:
    assert results.dumps(made_result()) == results.dumps(made_result())


def test_each_list_of_samples_is_one_line() -> None:
    lines = results.dumps(with_samples(made_result(), 3.5, 4.5)).splitlines()

    assert len([line for line in lines if '"samples": [3.5]' in line or '"samples": [4.5]' in line]) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.3"), (3.000000001, "3.000000001"), (270532608.0, "270532608.0"), (1e-9, "1e-09")]
)
def test_floats_keep_fifteen_digits_and_lose_the_noise_beyond(value: float, text: str) -> None:
    assert f'"samples": [{text}]' in results.dumps(with_samples(made_result(), value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_and_may_be_unknown_becomes_null(value: float) -> None:
    result = replace(made_result(), workload={"depth": [value]})
    check = replace(result.checks[0], observed=value)

    document = plain(replace(result, checks=(check,)))

    assert (document["workload"], document["checks"][0]["observed"]) == ({"depth": [None]}, None)


def test_a_sample_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(MeasurementError, match=r"metrics\[0\]\.trials\[1\]\.samples\[0\] must be a number, not null"):
        results.dumps(with_samples(made_result(), 1.0, math.nan))


@pytest.mark.parametrize("value", [Path("x"), {1: 2}, b"x", {"a"}])
def test_a_value_that_json_cannot_hold_is_never_written(value: object) -> None:
    with pytest.raises(MeasurementError, match="the result is not valid"):
        results.dumps(replace(made_result(), plan={"x": value}))


def test_a_file_name_that_is_not_utf8_does_not_spoil_the_file() -> None:
    name = os.fsdecode(b"mod\xffel.gguf")

    assert plain(replace(made_result(), warnings=(name,)))["warnings"] == ["mod?el.gguf"]
