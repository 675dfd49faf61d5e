"""Files of other tools become runs, and what is no run of anybody is told as such."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.baselines.imported import read_run
from synapse_perf.errors import InputError, NotComparableError
from synapse_perf.model import Result
from tests.made_results import made_result

# The fields that hyperfine writes for each command.
HYPERFINE = {
    "results": [
        {
            "command": "sleep 0.1",
            "mean": 0.1015,
            "stddev": 0.0005,
            "median": 0.1015,
            "user": 0.0007,
            "system": 0.0009,
            "min": 0.1010,
            "max": 0.1020,
            "times": [0.101, 0.102],
            "exit_codes": [0, 0],
            "parameters": {"size": "3"},
        }
    ]
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.json"
    path.write_text(text)
    return path


def test_each_time_of_hyperfine_is_a_process_of_its_command(tmp_path: Path) -> None:
    run = read_run(written(tmp_path, json.dumps(HYPERFINE)))

    assert isinstance(run, Result)
    (metric,) = run.metrics
    assert (run.benchmark, metric.key, metric.unit) == ("hyperfine", "command_time{command=sleep 0.1,size=3}", "s")
    assert [trial.samples for trial in metric.trials] == [(0.101,), (0.102,)]
    assert results.dumps(run)


def test_a_parameter_of_hyperfine_takes_no_label_that_has_a_meaning_here(tmp_path: Path) -> None:
    """What has a variant is judged by no gate, so that all of it would pass."""
    each = {**HYPERFINE["results"][0], "parameters": {"variant": "x", "command": "y"}}
    run = read_run(written(tmp_path, json.dumps({"results": [each]})))
    assert isinstance(run, Result)
    assert dict(run.metrics[0].labels) == {
        "command": "sleep 0.1",
        "parameter_variant": "x",
        "parameter_command": "y",
    }


def test_a_result_file_is_read_as_ever(tmp_path: Path) -> None:
    results.write(tmp_path / "file.json", made_result())

    assert read_run(tmp_path / "file.json") == made_result()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{", "it ends too early"),
        ("[" * 100_000, "not a result file"),
        ("\x00\x01\x02", "it is not JSON"),
        ("[]", "not a result of synapse-perf"),
        ('{"results": []}', "not a result of synapse-perf"),
        ('{"results": [{"command": "x", "times": ["soon"]}]}', "looks like JSON of hyperfine"),
        ('{"results": [{"command": "x", "times": null}]}', "looks like JSON of hyperfine"),
        ('{"results": [{"command": "x", "times": [1], "parameters": 3}]}', "looks like JSON of hyperfine"),
    ],
)
def test_what_is_no_run_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_run(written(tmp_path, text))
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(json.dumps(HYPERFINE).encode("utf-16"))
    with pytest.raises(InputError, match="not a result file"):
        read_run(path)


def test_a_newer_schema_is_not_comparable(tmp_path: Path) -> None:
    with pytest.raises(NotComparableError):
        read_run(written(tmp_path, '{"kind": "result", "schema_version": 99}'))
