"""Every run is kept under a name of its own, and last~1 finds it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.errors import InputError
from tests.made_results import made_result, made_suite


def runs_saved(*starts: str, benchmark: str = "profile-load") -> list[Path]:
    return [results.save_run(made_result(benchmark, start)) for start in starts]


def test_last_is_the_newest_start_whatever_was_saved_last() -> None:
    middle, newest, oldest = runs_saved("2026-02-02T00:00:00Z", "2026-03-03T00:00:00Z", "2026-01-01T00:00:00Z")

    assert [results.find_run(name) for name in ("last", "last~1", "last~2")] == [newest, middle, oldest]
    assert results.load("last") == made_result(started_at="2026-03-03T00:00:00Z")


def test_last_of_one_benchmark() -> None:
    [mine] = runs_saved("2026-01-01T00:00:00Z", benchmark="bench-cgrag")
    runs_saved("2026-02-02T00:00:00Z")

    assert results.find_run("last", "bench-cgrag") == mine
    assert results.load("last", benchmark="bench-cgrag").kind == "result"
    with pytest.raises(InputError, match="last~1: only 1 saved run of bench-cgrag"):
        results.find_run("last~1", "bench-cgrag")


def test_a_run_is_named_by_its_start_in_utc_and_its_benchmark() -> None:
    names = [path.name for path in runs_saved("2026-11-23T12:15:30.123+02:00")]

    assert names[0].startswith("20261123T101530.123Z-profile-load-")


@pytest.mark.parametrize("start", ["", "yesterday", "0001-01-01T00:00:00+14:00", "../../etc"])
def test_a_start_that_is_no_date_still_gives_a_run(start: str) -> None:
    path = results.save_run(made_result("../evil name", start))

    assert path.parent == results.state_directory() / "runs"
    assert results.find_run("last", "-evil-name") == path


def test_a_suite_is_saved_as_a_run() -> None:
    path = results.save_run(made_suite())

    assert path.name.startswith("20261123T101530.123Z-run-")
    assert results.load("last", benchmark="run") == made_suite()


def test_no_saved_run_is_an_input_error_with_what_to_do() -> None:
    with pytest.raises(InputError, match="last: no run is saved yet") as caught:
        results.load("last")
    assert "measure first" in caught.value.remedy


def test_only_the_newest_200_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = results.state_directory() / "runs"
    directory.mkdir(parents=True)
    for number in range(203):
        (directory / f"20260101T000000.{number:03d}Z-profile-load-0000000{number % 10}.json").write_text("{}")

    results.save_run(made_result())

    kept = results.list_runs()
    assert len(kept) == 200
    assert kept[-1].name.startswith("20260101T000000.004Z")


def test_a_run_with_an_old_clock_is_not_dropped_by_its_own_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_perf.results.runs.KEPT", 1)
    runs_saved("2026-01-01T00:00:00Z")

    [path] = runs_saved("1970-01-01T00:00:00Z")

    assert path.exists()


def test_other_files_in_the_directory_are_left_alone() -> None:
    [run] = runs_saved("2026-01-01T00:00:00Z")
    (run.parent / "notes.txt").write_text("mine")

    runs_saved("2026-01-02T00:00:00Z")

    assert len(results.list_runs()) == 2
    assert (run.parent / "notes.txt").exists()


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYNAPSE_PERF_STATE_DIR", str(tmp_path / "file"))

    with pytest.raises(InputError, match="cannot be created") as caught:
        results.save_run(made_result())
    assert "SYNAPSE_PERF_STATE_DIR" in caught.value.remedy


def test_the_state_directory_is_the_users_unless_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNAPSE_PERF_STATE_DIR")

    assert results.state_directory().name == "synapse-perf"
    assert results.state_directory().is_relative_to(Path.home())


def test_many_processes_save_at_once_and_each_run_is_kept_whole() -> None:
    code = "from synapse_perf import results; from tests.made_results import made_result\n"
    code += "for _ in range(20): print(results.save_run(made_result()))"
    writers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    names = [line for writer in writers for line in writer.communicate()[0].splitlines()]

    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(set(names)) == 80
    assert {str(path) for path in results.list_runs()} == set(names)
    assert all(results.load(path) == made_result() for path in results.list_runs())


def test_importing_the_file_boundary_loads_nothing_heavy() -> None:
    code = "import sys, synapse_perf.results, synapse_perf.baselines, synapse_perf.profiles;"
    code += "print(sorted({'pydantic', 'pydantic_core', 'numpy', 'rich', 'platformdirs'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ast.literal_eval(done.stdout) == []
