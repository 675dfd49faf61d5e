"""The published schema, the writer and the reader agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synapse_perf import results
from synapse_perf.errors import InputError
from synapse_perf.model import Result, Suite
from synapse_perf.results import schema
from tests.made_results import made_result, made_suite, plain, validator, written


@pytest.mark.parametrize("result", [made_result(), made_suite()], ids=["result", "suite"])
def test_written_files_fit_the_schema(result: Result | Suite) -> None:
    validator().validate(plain(result))


def break_unknown_key(document: dict[str, Any]) -> None:
    document["metrics"][0]["trials"][0]["speed"] = 1


def break_text_for_number(document: dict[str, Any]) -> None:
    document["metrics"][0]["trials"][0]["samples"][0] = "3.1"


def break_status(document: dict[str, Any]) -> None:
    document["checks"][0]["status"] = "passed"


def break_missing(document: dict[str, Any]) -> None:
    del document["metrics"][0]["summary"]["p95"]


def break_kind_of_field(document: dict[str, Any]) -> None:
    document["environment"]["git"] = []


def break_fact(document: dict[str, Any]) -> None:
    document["metrics"][0]["trials"][0]["facts"]["read_bytes"][0] = [1]


def break_true_for_number(document: dict[str, Any]) -> None:
    document["metrics"][0]["trials"][0]["process"] = True


BROKEN: dict[Callable[[dict[str, Any]], None], str] = {
    break_unknown_key: "metrics[0].trials[0].speed is not a known field",
    break_text_for_number: 'metrics[0].trials[0].samples[0] must be a number, not "3.1"',
    break_status: "checks[0].status must be 'pass', 'fail', 'inconclusive', 'not-measured' or 'not-comparable', "
    'not "passed"',
    break_missing: "metrics[0].summary.p95 is missing",
    break_kind_of_field: "environment.git must be a table of fields, not a list",
    break_fact: "metrics[0].trials[0].facts.read_bytes[0] must be a number or a whole number or text or true or false, "
    "not a list",
    break_true_for_number: "metrics[0].trials[0].process must be a whole number, not true",
}


@pytest.mark.parametrize("change", BROKEN, ids=lambda change: change.__name__)
def test_schema_and_reader_refuse_the_same_files(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    document = plain(made_result())
    change(document)

    assert not validator().is_valid(document)
    with pytest.raises(InputError) as caught:
        results.load(written(tmp_path / "r.json", document))
    assert caught.value.message == f"{tmp_path / 'r.json'}: {BROKEN[change]}"


def test_every_field_of_the_schema_that_needs_words_has_them() -> None:
    definitions = results.json_schema()["$defs"]
    described = {name: set(fields) for name, fields in schema.DESCRIPTIONS.items()}
    without = {
        f"{name}.{field}"
        for name, definition in definitions.items()
        for field, value in definition["properties"].items()
        if "description" not in value and "enum" not in value
    }

    assert {name: fields - set(definitions[name]["properties"]) for name, fields in described.items()} == {
        name: set() for name in described
    }
    assert without == {"Result.environment", "Finding.cause"}
