"""A disk is full, a stream is closed, a directory cannot be written: the run is reported all the same."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.program import COMMAND, PATIENCE_S, QUICK, environment, profile, run, saved_runs, state, unfinished

FULL = Path("/dev/full")
LIMIT_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("only Linux has file systems in memory that need no disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip("this user may not mount file systems")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_costs_the_file_and_not_the_run(good: Path, tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "r.json").write_text("from an earlier run")

    told = profile(good, "-o", small_disk / "r.json", "-o", tmp_path / "r.md")

    assert (told.code, told.measured) == (6, {"good"})
    expected = "cannot be written: no space is left on the disk\nhint: free some space, or name a file on another disk"
    assert told.errors == [f"{small_disk / 'r.json'}: {expected}"]
    assert [path.read_text() for path in small_disk.iterdir()] == ["from an earlier run"]
    assert (tmp_path / "r.md").exists()
    assert len(saved_runs()) == 1


def test_a_full_disk_for_saved_runs_is_a_warning(good: Path, small_disk: Path) -> None:
    told = profile(good, env={"SYNAPSE_PERF_STATE_DIR": str(small_disk)})

    assert (told.code, told.measured, told.errors) == (0, {"good"}, [])
    assert "warning: this run could not be saved: " in told.err
    assert "no space is left on the disk" in told.err
    assert unfinished(small_disk) == []


def test_a_cache_without_room_for_the_samples_is_one_line(small_disk: Path) -> None:
    told = run("profile-load", "--profile", "embedded", env={"SYNAPSE_PERF_CACHE_DIR": str(small_disk)})

    assert (told.code, told.out) == (2, "")
    assert "the disk has 8.00 KiB free\nhint: free some space, or write to another disk" in told.err
    assert unfinished(small_disk) == []


def test_files_that_may_not_grow_cost_the_files_and_not_the_report(good: Path, tmp_path: Path) -> None:
    """As a full disk, where nobody may mount one: neither the state nor the result can be written."""
    told = profile(good, "-o", tmp_path / "r.json", before=[sys.executable, "-c", LIMIT_FILES])

    assert (told.code, told.measured) == (6, {"good"})
    assert "warning: this run could not be saved: " in told.err
    assert told.errors == [
        f"{tmp_path / 'r.json'}: cannot be written: larger than files may be here\n"
        "hint: raise the limit (ulimit -f), or name a file on another disk"
    ]
    assert not (tmp_path / "r.json").exists()
    assert unfinished(tmp_path, state()) == []


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
def test_a_full_stdout_is_told_and_the_other_outputs_are_written(good: Path, tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        told = profile(good, "-o", tmp_path / "r.json", stdout=full)

    assert told.code == 6
    assert told.errors == [
        "the report could not be written to stdout: no space left on device\n"
        "hint: free some space there, or send stdout elsewhere"
    ]
    assert (tmp_path / "r.json").exists()
    assert len(saved_runs()) == 1


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("arguments", [["schema"], ["models", "list"], ["--help"]])
def test_a_full_stdout_of_other_commands_is_one_line(arguments: Sequence[str]) -> None:
    with FULL.open("wb") as full:
        told = run(*arguments, stdout=full)

    assert (told.code, len(told.errors)) == (2, 1)
    assert "stdout cannot be written: no space left on device" in told.err


def test_a_reader_that_goes_away_costs_nothing_but_the_rest(good: Path, tmp_path: Path) -> None:
    """As `| head -1`: the other outputs are written, and the code is that of the run."""
    with subprocess.Popen(
        [COMMAND, "profile-load", good, *QUICK, "-o", tmp_path / "r.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, err = running.communicate(timeout=PATIENCE_S)

    assert (running.returncode, b"error" in err) == (0, False)
    assert (tmp_path / "r.json").exists()


@pytest.mark.parametrize("arguments", [["schema"], ["profiles", "list"]])
def test_other_commands_whose_reader_goes_away_do_not_end_with_the_code_of_a_missed_target(
    arguments: Sequence[str],
) -> None:
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, err = running.communicate(timeout=PATIENCE_S)

    assert (running.returncode, err) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_reason_not_to_measure(good: Path, tmp_path: Path, closed: str) -> None:
    arguments = " ".join(["profile-load", str(good), *QUICK, "-o", str(tmp_path / "r.json")])

    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {COMMAND} {arguments} {closed}"],
        capture_output=True,
        env=environment(),
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0
    assert b"error" not in done.stderr
    assert (tmp_path / "r.json").read_text().endswith("}\n")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
def test_a_stderr_that_nobody_can_read_is_no_reason_not_to_measure(good: Path) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [COMMAND, "profile-load", good, *QUICK, "--no-fit"],
            stdout=subprocess.PIPE,
            stderr=full,
            env=environment(),
            timeout=PATIENCE_S,
            check=False,
        )

    assert done.returncode == 0
    assert b"Start to first token" in done.stdout


def test_a_state_directory_that_cannot_be_is_a_warning(good: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    told = profile(good, env={"SYNAPSE_PERF_STATE_DIR": str(file)})

    assert (told.code, told.measured, told.errors) == (0, {"good"}, [])
    assert (
        f"warning: this run could not be saved: {file}/runs: cannot be created: Not a directory; set "
        "SYNAPSE_PERF_STATE_DIR to a directory that you may write to\n" in told.err
    )


def test_a_cache_directory_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    told = run("profile-load", "--profile", "embedded", env={"SYNAPSE_PERF_CACHE_DIR": str(file)})

    assert (told.code, told.out) == (2, "")
    assert told.errors == [
        f"{file}/models cannot be made: Not a directory\n"
        "hint: set SYNAPSE_PERF_CACHE_DIR to a folder that may be written to"
    ]


def test_without_a_home_and_a_terminal_it_measures(good: Path) -> None:
    told = profile(good, env={"HOME": None, "TERM": None})

    assert (told.code, told.measured, told.errors) == (0, {"good"}, [])


def test_a_home_that_cannot_be_costs_the_saved_run_alone(good: Path) -> None:
    """What is kept between runs would lie in it."""
    nowhere = {"HOME": "/proc/nowhere", "SYNAPSE_PERF_STATE_DIR": None, "XDG_STATE_HOME": None}

    told = profile(good, env=nowhere)

    assert (told.code, told.measured, told.errors) == (0, {"good"}, [])
    assert "warning: this run could not be saved: /proc/nowhere/" in told.err


def test_in_a_directory_that_has_been_removed_it_measures(good: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = 'cd "$0" && rmdir "$0" && exec "$@"'

    told = profile(good, before=["/bin/sh", "-c", command, str(gone)])

    assert (told.code, told.measured) == (0, {"good"})


def test_a_log_that_cannot_be_written_is_told_before_measuring(good: Path, tmp_path: Path) -> None:
    told = profile(good, "--log", tmp_path / "no" / "such.log")

    assert (told.code, told.out) == (2, "")
    assert "such.log: cannot be written: its directory does not exist" in told.err


def test_the_limit_of_the_tests_is_what_a_file_meets(tmp_path: Path) -> None:
    """That LIMIT_FILES limits: else its test would prove nothing."""
    code = f"open({str(tmp_path / 'x')!r}, 'wb', 0).write(bytes(9000)) == 9000 or sys.exit(1)"
    done = subprocess.run([sys.executable, "-c", LIMIT_FILES, sys.executable, "-c", f"import sys; {code}"], check=False)

    assert done.returncode == 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 8192
    assert (tmp_path / "x").stat().st_size == 8192
