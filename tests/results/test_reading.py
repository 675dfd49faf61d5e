"""What cannot be read is told in one line; older versions are migrated, newer ones refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf import model, results
from synapse_perf.errors import ExitCode, InputError, NotComparableError
from synapse_perf.model import Json, Result, Suite
from synapse_perf.results import reading
from tests.made_results import made_metric, made_result, made_suite, plain, written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"GGUF\0\0\0\3", "not a result file: it is not JSON"),
        (b"\xff\xfe", "not a result file: it begins with a byte order mark"),
        (b"[1, 2]", "JSON, but not a result of synapse-perf"),
        (b'{"version": 1}', "JSON, but not a result of synapse-perf"),
        (b'{"kind": "result"}', "schema_version must be a whole number from 1, not null"),
        (b'{"kind": "result", "schema_version": true}', "schema_version must be a whole number from 1, not true"),
        (b'{"kind": "result", "schema_version": 0}', "schema_version must be a whole number from 1, not 0"),
        (b'{"kind": "result", "schema_version": 1}', "benchmark is missing (and 14 more)"),
        (b'{"kind": "suite", "schema_version": 1, "results": 3, "checks": [], "verdict": "pass"}', "results must be a"),
        (b'{"kind": "suite", "schema_version": 1, "results": [4], "checks": [], "verdict": "pass"}', "JSON, but not"),
        (b'{"kind": NaN}', "not a result file: expected value at line 1 column 10"),
        (b"[" * 100_000, "not a result file: recursion limit exceeded"),
        (b"9" * 10_000, "not a result file: number out of range"),
    ],
)
def test_another_file_is_told_apart(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(content)

    with pytest.raises(InputError) as caught:
        results.load(tmp_path / "r.json")
    assert caught.value.message.startswith(f"{tmp_path / 'r.json'}: {message}")
    assert caught.value.remedy
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_file_cut_anywhere_is_an_input_error(tmp_path: Path) -> None:
    whole = results.dumps(made_result()).rstrip().encode()

    for length in range(1, len(whole)):
        with pytest.raises(InputError, match="it ends too early at line"):
            reading.parse(whole[:length], "r.json")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_give_a_result_or_an_error_of_ours_in_one_line(position: int, damage: bytes) -> None:
    data = bytearray(results.dumps(made_result()).encode())
    position %= len(data)
    data[position : position + len(damage)] = damage

    try:
        reading.parse(bytes(data), "r.json")
    except (InputError, NotComparableError) as error:
        assert error.message.startswith("r.json: ")
        assert error.message.isprintable()


@pytest.mark.parametrize("field", ["workload", "plan"])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_not_finite_is_refused_in_open_fields_too(field: str, number: str) -> None:
    document = plain(made_result()) | {field: {"a": [{"b": 77.5}]}}
    text = json.dumps(document).replace("77.5", number)

    with pytest.raises(InputError, match=rf"{field}\.a\[0\]\.b must be a finite number|expected value|ident"):
        reading.parse(text.encode(), "r.json")


def test_the_name_and_content_of_a_file_cannot_forge_lines(tmp_path: Path) -> None:
    document = plain(made_result())
    document["a\nerror: \x1b[31m"] = 1

    with pytest.raises(InputError) as caught:
        results.load(written(tmp_path / "a\nb.json", document))
    assert caught.value.message.isprintable()


def test_a_missing_file_and_a_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        results.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="a directory, not a result file"):
        results.load(tmp_path)
    with pytest.raises(InputError, match="not a file name"):
        results.load("a\0b")


def test_a_file_too_large_for_a_result_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1024**2)
    with (tmp_path / "r.json").open("wb") as stream:
        stream.truncate(2 * 1024**2)

    with pytest.raises(InputError, match=r"larger than a result file can be \(1 MiB\)"):
        results.load(tmp_path / "r.json")


def test_a_large_file_is_read_whole(tmp_path: Path) -> None:
    trial = replace(made_metric().trials[0], samples=tuple(number / 7 for number in range(10_000)), facts={})
    metric = replace(made_metric(), trials=(trial,) * 5)
    large = replace(made_result(), metrics=(metric,))
    results.write(tmp_path / "r.json", large)

    loaded = results.load(tmp_path / "r.json")

    assert isinstance(loaded, Result)
    assert sum(len(each.samples) for each in loaded.metrics[0].trials) == 50_000


def test_a_newer_schema_is_not_comparable(tmp_path: Path) -> None:
    document = plain(made_result()) | {"schema_version": 2, "unheard_of": True}

    with pytest.raises(NotComparableError, match="schema version 2, and this synapse-perf reads up to 1") as caught:
        results.load(written(tmp_path / "r.json", document))
    assert caught.value.exit_code == ExitCode.NOT_COMPARABLE
    assert "upgrade" in caught.value.remedy


def test_a_newer_result_in_a_suite_is_not_comparable() -> None:
    document = plain(made_suite())
    document["results"][1]["schema_version"] = 7

    with pytest.raises(NotComparableError, match="schema version 7"):
        reading.parse(json.dumps(document).encode(), "s.json")


def rename_tool(document: dict[str, Json]) -> dict[str, Json]:
    if document["kind"] == "suite":
        return document
    new = dict(document)
    new["benchmark"] = new.pop("tool")
    return new


def add_warning(document: dict[str, Json]) -> dict[str, Json]:
    return document if document["kind"] == "suite" else {**document, "warnings": ["migrated"]}


def old(result: Result) -> dict[str, Any]:
    document = plain(result)
    document["tool"] = document.pop("benchmark")
    return document


def test_an_older_file_passes_through_each_migration_in_turn() -> None:
    data = json.dumps(old(made_result())).encode()

    loaded = reading.parse(data, "r.json", version=3, migrations={1: rename_tool, 2: add_warning})

    assert loaded == replace(made_result(), warnings=("migrated",), schema_version=3)


def test_the_results_in_an_older_suite_are_migrated_too() -> None:
    document = plain(made_suite()) | {"results": [old(each) for each in made_suite().results]}

    loaded = reading.parse(json.dumps(document).encode(), "s.json", version=2, migrations={1: rename_tool})

    assert isinstance(loaded, Suite)
    assert [each.benchmark for each in loaded.results] == ["profile-load", "bench-cgrag"]


def test_there_is_a_migration_from_every_older_version() -> None:
    assert set(reading.MIGRATIONS) == set(range(1, model.SCHEMA_VERSION))
