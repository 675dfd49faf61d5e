"""Files that are no baseline, and places where nothing can be written: one line each, nothing lost, nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import baselines, results
from synapse_perf.cli import run
from synapse_perf.model import Result
from synapse_perf.results.reading import MAX_BYTES
from tests.analyze.trials import single
from tests.commands.made_repository import COMMAND, git, made_repository
from tests.made_results import made_result

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)
NAME = "baselines/main.json"


def level(*values: float, day: int = 1) -> Result:
    made = made_result(started_at=f"2026-01-{day:02}T00:00:00Z")
    return replace(made, metrics=(single(*(values or STEADY)),), checks=(), failures=())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    results.save_run(level(day=2))
    return tmp_path


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error, which is one line with at most a hint below it, and no report beside it."""
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert shown.out == ""
    assert len(lines) <= 2, shown.err
    assert all(line.startswith("hint: ") for line in lines[1:])
    return lines[0]


# --- baselines that are none -----------------------------------------------------------------------------------------

TEXT = results.dumps(level())


def edited(**changes: object) -> str:
    document = json.loads(TEXT)
    document["metrics"][0] |= changes
    return json.dumps(document)


def with_samples(text: str) -> str:
    return TEXT.replace("3.01", text, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (TEXT[: len(TEXT) // 2].encode(), "it ends too early"),
        (TEXT.encode("utf-16"), "not a result file"),
        (TEXT.replace("startup", "stärtup").encode("latin-1"), "not a result file"),
        (b"\x7fELF" + bytes(100), "it is not JSON"),
        (b"[" * 1_000_000, "not a result file"),
        (b'{"a":' * 100_000, "not a result file"),
        (b'"baseline"', "not a result of synapse-perf"),
        (b'{"kind": "result", "schema_version": "1"}', "schema_version must be a whole number"),
        (b'{"kind": "result", "schema_version": 1e999}', "schema_version must be a whole number"),
        (b'{"kind": "suite", "schema_version": 1, "results": [1]}', "not a result of synapse-perf"),
        (with_samples("1e999").encode(), "must be a finite number"),
        (with_samples("NaN").encode(), "not a result file"),
        (with_samples('"soon"').encode(), "metrics"),
        (with_samples("[[]]").encode(), "metrics"),
        (with_samples("-3.01").encode(), "a time below zero"),
        (edited(better="sideways").encode(), "better"),
        (edited(labels={"a": {"b": 1}}).encode(), "labels"),
        (json.dumps(json.loads(TEXT) | {"metrics": json.loads(TEXT)["metrics"] * 2}).encode(), "is there twice"),
    ],
)
def test_what_is_no_baseline_is_told_by_gate_and_by_compare(
    project: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("baselines").mkdir()
    Path(NAME).write_bytes(content)

    for command in (("gate", "--baseline", "main"), ("compare", "main", "last"), ("compare", "last", NAME)):
        assert run(command) == 2, command
        told = one_line(capsys)
        assert words in told
        assert len(told) < 300


def test_a_huge_file_is_refused_without_being_read_whole(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("baselines").mkdir()
    with Path(NAME).open("wb") as stream:
        stream.truncate(40 * MAX_BYTES)

    assert run(["gate", "--baseline", "main"]) == 2
    assert "larger than a result file can be" in one_line(capsys)


def test_zero_times_are_no_ratio_and_no_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", level(*[0.0] * 6))

    assert run(["gate", "--baseline", "main"]) == 3
    assert "a ratio needs values above 0" in " ".join(capsys.readouterr().out.split())
    assert run(["compare", "main", "last"]) == 3


def test_terminal_codes_in_a_baseline_reach_no_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = single(*STEADY, labels={"model": "\x1b[2J\x1b]0;x\x07", "n": "a\nb"})
    results.write("hostile.json", replace(level(), metrics=(hostile,)))

    assert run(["compare", "hostile.json", "hostile.json"]) == 0
    shown = capsys.readouterr()
    assert not {"\x1b", "\x07"} & set(shown.out + shown.err)


# --- places where nothing can be written -----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("only Linux has file systems in memory that need no disk")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this user may not mount file systems")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            pass


def test_a_full_disk_loses_no_baseline(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(small_disk)
    results.save_run(level(day=2))
    before = baselines.save("main", level()).read_text()
    assert run(["baseline", "waive", "--metric", "m", "--reason", "meant", "--expires", "2d"]) == 0
    waived = Path("baselines/waivers.json").read_text()
    fill(small_disk)
    capsys.readouterr()

    for command in (
        ("save", "main", "--force"),
        ("save", "main", "--add"),
        ("save", "other"),
        ("waive", "--metric", "m", "--reason", "again", "--expires", "3d"),
    ):
        assert run(["baseline", *command]) == 2, command
        assert "no space is left on the disk" in one_line(capsys)
    assert run(["gate", "--baseline", "main", "--effect", "80%", "-o", "report.json"]) == 6
    shown = capsys.readouterr()
    assert shown.out.startswith("PASS")
    assert "report.json: cannot be written: no space is left on the disk" in shown.err
    assert (Path(NAME).read_text(), Path("baselines/waivers.json").read_text()) == (before, waived)
    assert sorted(path.name for path in Path("baselines").iterdir()) == ["main.json", "waivers.json"]


def test_a_gate_whose_worktrees_do_not_fit_is_one_line_and_leaves_nothing(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = made_repository(tmp_path / "project")
    (repository / "large").write_bytes(os.urandom(200_000))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "large")
    monkeypatch.chdir(repository)
    monkeypatch.setenv("SYNAPSE_PERF_STATE_DIR", str(small_disk / "state"))

    assert run(["gate", "--against", "HEAD", "--command", COMMAND, "--quiet"]) == 2
    assert "HEAD" in (told := one_line(capsys))
    assert "cannot be checked out: unable to write file large" in told
    assert list((small_disk / "state" / "worktrees").iterdir()) == []
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_an_environment_that_cannot_be_kept_is_one_line(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made_repository(tmp_path / "project"))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(small_disk / "cache"))
    setup = 'head -c 200000 /dev/urandom > "$SYNAPSE_PERF_ENV/library"'

    assert run(["gate", "--against", "HEAD", "--command", COMMAND, "--quiet", "--setup", setup]) == 2
    assert "--setup fails at HEAD" in one_line(capsys)
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", "/dev/null/x")
    assert run(["gate", "--against", "HEAD", "--command", COMMAND, "--quiet", "--setup", setup]) == 2
    assert "/dev/null/x/environments: cannot be written: Not a directory" in one_line(capsys)


def test_a_read_only_project_keeps_its_baselines_and_can_still_be_judged(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(small_disk)
    results.save_run(level(day=2))
    baselines.save("main", level())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    assert run(["baseline", "save", "other"]) == 2
    assert "the file system is read-only" in one_line(capsys)
    assert run(["gate", "-o", "report.md"]) == 2  # before anything is judged
    assert "report.md: cannot be written" in one_line(capsys)
    assert run(["gate", "--effect", "80%"]) == 0


def test_a_read_only_repository_is_one_line(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git notes its worktrees in the repository, and keeps what is not committed as objects there."""
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    repository = made_repository(small_disk / "project")
    monkeypatch.chdir(repository)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    assert run(["gate", "--against", "HEAD", "--command", COMMAND, "--quiet"]) == 2
    assert "Read-only file system" in one_line(capsys)


def test_without_git_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made_repository(tmp_path / "project"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert run(["gate", "--against", "HEAD", "--command", COMMAND]) == 2
    assert one_line(capsys) == "error: git is missing"


def test_a_repository_that_is_damaged_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = made_repository(tmp_path / "project")
    monkeypatch.chdir(repository)
    for objects in (repository / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"):
        objects.chmod(0o600)
        objects.write_bytes(b"")

    assert run(["gate", "--against", "HEAD", "--command", COMMAND]) == 2
    one_line(capsys)
