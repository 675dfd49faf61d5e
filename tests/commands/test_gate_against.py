"""`gate --against`: a change that slows is found, one that does not passes, and nothing is left behind either way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from synapse_perf import results
from synapse_perf.cli import run
from synapse_perf.results import state_directory
from tests.commands.made_repository import BENCHMARK, COMMAND, git, made_repository
from tests.made_results import made_result

PROGRAM = [sys.executable, "-m", "synapse_perf"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = made_repository(tmp_path / "project")
    monkeypatch.chdir(made)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_left(repository: Path) -> object:
    before = git(repository, "for-each-ref", "refs/heads")
    yield
    left = state_directory() / "worktrees"
    assert not left.exists() or list(left.iterdir()) == []
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert len(git(repository, "for-each-ref", "refs/heads").splitlines()) == len(before.splitlines())


def gate(*options: str, against: str = "HEAD", command: str = COMMAND) -> int:
    return run(["gate", "--against", against, "--command", command, "--quiet", "--seed", "1", *options])


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_same_code_passes_and_is_said_to_be_the_same(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate("--format", "json", "--effect", "1%") == 0
    found = report(capsys)
    assert found["detects"].startswith("slowdowns from 3.00 % on")  # nothing below counts, whatever was asked for
    assert [(row["metric"], row["status"]) for row in found["rows"] if not row["stands_for"]] == [
        ("command_time{command=work}", "unchanged")
    ]
    assert "both sides are the same code" in found["warnings"][0]
    assert set(found["facts"]["stages"]) == {"screen"}


def test_a_slowdown_that_is_not_committed_turns_it_red_and_the_work_tree_stays_as_it_is(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "time").write_text("0.11")
    (repository / "new file").write_text("untracked")
    status = git(repository, "status", "--porcelain")
    assert gate() == 1
    shown = capsys.readouterr().out
    assert "FAIL: 1 regressed" in shown
    assert "1.10×" in shown
    assert "baseline waive" in shown
    assert git(repository, "status", "--porcelain") == status
    assert git(repository, "stash", "list") == ""


def test_new_files_are_measured_too_but_for_large_ones_which_are_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git would keep a copy of somebody's data."""
    (repository / "bench.sh").write_text(BENCHMARK.replace("cat time", "cat 'new [time]'"))
    (repository / "new [time]").write_text("0.1")
    with (repository / "model.gguf").open("wb") as file:
        file.truncate(11_000_000)
    assert gate() == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "new files above 10 MB are not in the worktree: model.gguf" in shown
    assert "model.gguf" not in git(repository, "ls-files")


def test_a_committed_slowdown_is_found_against_any_name_of_a_revision(repository: Path) -> None:
    git(repository, "tag", "v1")
    (repository / "time").write_text("0.12")
    git(repository, "commit", "-qam", "slower")
    assert gate(against="v1") == 1
    assert gate(against="HEAD~1") == 1
    assert gate(against="HEAD") == 0
    git(repository, "checkout", "-q", "v1")
    assert gate(against="main") == 0  # faster


def test_a_waiver_lets_it_pass_and_one_that_ran_out_does_not(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "time").write_text("0.11")
    key = "command_time{command=work}"
    assert run(["baseline", "waive", "--metric", key, "--reason", "meant", "--expires", "1d"]) == 0
    assert gate() == 0
    assert "waived: meant" in capsys.readouterr().out
    waivers = repository / "baselines" / "waivers.json"
    day = json.loads(waivers.read_text())["waivers"][0]["expires"]
    waivers.write_text(waivers.read_text().replace(day, "2020-01-01"))
    assert gate() == 1
    assert "ran out on 2020-01-01" in capsys.readouterr().out


def test_it_runs_where_the_user_stands_and_the_setup_comes_first(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = repository / "part"
    inner.mkdir()
    (inner / "x").write_text("")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "part")
    monkeypatch.chdir(inner)
    assert gate("--setup", "cp ../time here", command=BENCHMARK.replace("time)", "here)").strip()) == 0
    monkeypatch.chdir(inner)
    assert gate(against="HEAD~1", command=COMMAND) == 2
    assert "has no directory part" in capsys.readouterr().err


def test_pythons_path_names_the_worktree_before_an_installed_copy(repository: Path) -> None:
    """An editable installation would else give both sides the same code, and pass everything."""
    (repository / "src").mkdir()
    (repository / "src" / "mine.py").write_text("TIME = 0.1\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "module")
    (repository / "src" / "mine.py").write_text("TIME = 0.13\n")
    command = (
        f'{sys.executable} -S -c "import json, mine, os; '
        "print(json.dumps({'results': [{'command': 'c', 'times': [mine.TIME + os.getpid() * 1e-9]}]}))\" "
        "> $SYNAPSE_PERF_OUTPUT"
    )
    os.environ["PYTHONPATH"] = str(repository / "src")
    try:
        assert gate("--pairs", "12", command=command) == 1
    finally:
        del os.environ["PYTHONPATH"]


def test_an_environment_is_built_once_for_the_same_locks(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "built"
    setup = f'echo x >> {log}; mkdir -p "$SYNAPSE_PERF_ENV/bin"; cp bench.sh "$SYNAPSE_PERF_ENV/bin/measure"'
    command = "sh $SYNAPSE_PERF_ENV/bin/measure"
    for _ in range(2):
        assert gate("--setup", setup, command=command) == 0
    assert log.read_text() == "x\n"
    (repository / "some.lock").write_text("another version")
    assert gate("--setup", setup, command=command) == 0
    assert log.read_text() == "x\nx\n"


def test_an_environment_that_holds_the_project_itself_is_refused(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides would run the code of the one that was set up first."""
    setup = 'mkdir -p "$SYNAPSE_PERF_ENV/lib"; pwd > "$SYNAPSE_PERF_ENV/lib/project.pth"'
    for _ in range(2):  # not taken for complete afterwards either
        assert gate("--setup", setup) == 2
        assert "--setup installs the project itself" in capsys.readouterr().err


def test_a_setup_that_fails_is_tried_again(repository: Path, tmp_path: Path) -> None:
    setup = f'[ -e {tmp_path}/ready ] && touch "$SYNAPSE_PERF_ENV/x"'
    assert gate("--setup", setup) == 2
    (tmp_path / "ready").touch()
    assert gate("--setup", setup) == 0


def test_a_command_of_the_tool_itself_runs_in_each_worktree(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed tool, whatever package of its name the worktree holds."""
    (repository / "synapse_perf").mkdir()
    (repository / "synapse_perf" / "__init__.py").write_text("raise SystemExit('the worktree is the judge')")
    assert run(["gate", "--against", "HEAD", "--quiet", "--", "profile-load", "/no/such/model.gguf"]) == 6
    shown = capsys.readouterr().err
    assert "at HEAD" in shown
    assert "ended with status 2" in shown
    assert "is the judge" not in shown


def test_calibration_keeps_what_builds_of_the_same_code_differ_by_and_the_gate_heeds_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gate", "--calibrate", "--command", COMMAND, "--quiet"]) == 0
    assert (
        "command_time{command=work}: builds differ by 0.00 %; a slowdown counts from 3.00 %" in capsys.readouterr().out
    )
    noise = repository / "baselines" / "noise.json"
    known = json.loads(noise.read_text())
    known["calibrations"][0]["metrics"]["command_time{command=work}"] = 0.05
    noise.write_text(json.dumps(known))
    (repository / "time").write_text("0.11")
    assert gate() == 0
    (repository / "time").write_text("0.12")
    assert gate() == 1
    noise.write_text("{")
    assert gate() == 2


def test_too_little_time_for_the_least_pairs_is_told_before_they_are_measured(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate("--max-time", "50ms") == 2
    assert "--max-time 50.0 ms is too short: at least 12 pairs" in capsys.readouterr().err


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--against", "nowhere", "--command", COMMAND), "there is no revision 'nowhere' here"),
        (("--against", "--upload-pack=x", "--command", COMMAND), "there is no revision"),
        (("--against", "HEAD"), "--against needs something to measure with"),
        (("--command", COMMAND), "--command is for --against"),
        (("--profile", "ci-cpu"), "--profile is for --against"),
        (("--setup", "true"), "--setup is for --against"),
        (("--against", "HEAD", "--command", COMMAND, "last"), "--against needs one thing to measure with"),
        (("--against", "HEAD", "--command", COMMAND, "--baseline", "x"), "--against measures both sides itself"),
        (("--against", "HEAD", "--command", COMMAND, "--effect", "0.1"), "--effect 0.1: not a share of change"),
        (("--against", "HEAD", "--command", COMMAND, "--setup", "echo no such lock; false"), "--setup fails at HEAD"),
        (("--against", "HEAD", "--command", COMMAND, "-o", "x.yaml"), "no format has this suffix"),
        (("--against", "HEAD", "--command", COMMAND, "-o", "no/such/x.json"), "its directory does not exist"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(
    repository: Path, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gate", "--quiet", *options]) == 2
    shown = capsys.readouterr()
    assert words in shown.err.splitlines()[0]
    assert shown.out == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo no such benchmark; exit 3", "ended with status 3: no such benchmark"),
        ("kill -9 $$", "ended with signal 9"),
        ("true", "the command wrote no result"),
        ("echo > $SYNAPSE_PERF_OUTPUT", "the file is empty"),
        ("echo '{' > $SYNAPSE_PERF_OUTPUT", "not a result file: it ends too early"),
        ('echo \'{"kind": "result", "schema_version": 99}\' > $SYNAPSE_PERF_OUTPUT', "written in schema version 99"),
        (COMMAND + "; echo -1 > time", "that nothing can have: -1"),
        ("sleep 60", "took longer than 0.3 s"),
        (BENCHMARK.replace("[%s]", "[]").strip(), "has no sample"),
    ],
)
def test_a_command_that_fails_is_told_with_its_arm_and_code_6(
    repository: Path, command: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = gate("--timeout", "300ms" if "sleep" in command else "60s", command=command)
    shown = capsys.readouterr()
    assert code == 6
    assert words in shown.err.splitlines()[0]
    assert "at HEAD" in shown.err.splitlines()[0] or "at the work tree" in shown.err.splitlines()[0]


def test_outside_of_a_repository_and_before_the_first_commit_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path / "bare")
    assert gate() == 2
    assert "no work tree of git" in capsys.readouterr().err
    git(tmp_path / "bare", "init", "-q")
    assert gate() == 2
    assert "there is no revision 'HEAD'" in capsys.readouterr().err


def test_where_nothing_can_be_kept_and_where_nobody_stands_it_says_so(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SYNAPSE_PERF_STATE_DIR", "/dev/null/x")
        assert gate() == 2
        assert "/dev/null/x/worktrees: cannot be written" in capsys.readouterr().err
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert gate() == 2
    assert "the current directory is gone" in capsys.readouterr().err


def test_ctrl_c_before_the_first_pair_is_told_and_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    gate = started(repository, counting(log, 1))
    wait_for(log, 1, gate)
    gate.send_signal(signal.SIGINT)
    out, err = gate.communicate(timeout=60)
    assert gate.returncode == 130
    assert out.startswith("INTERRUPTED: nothing was compared")
    assert "Traceback" not in err


def test_times_that_are_the_same_in_every_run_were_not_measured(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as a file that is committed: whatever the change does, it would pass."""
    command = """printf '{"results": [{"command": "w", "times": [0.0123, 0.0125]}]}' > "$SYNAPSE_PERF_OUTPUT\""""
    assert gate(command=command) == 6
    assert "runs are the same to the last digit" in capsys.readouterr().err.splitlines()[0]


def test_a_change_of_what_is_measured_is_not_comparable(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as other queries: what they make faster would hide what the code makes slower."""
    results.write("run.json", replace(made_result(), workload={"digest": "w1", "queries": 50}))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "what is measured")
    results.write("run.json", replace(made_result(), workload={"digest": "w2", "queries": 5}))
    assert gate(command='cp run.json "$SYNAPSE_PERF_OUTPUT"') == 4
    told = capsys.readouterr().err.splitlines()[0]
    assert "do not measure the same; differing: workload.queries" in told


def test_a_name_of_no_metric_is_told_though_others_are_judged(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate("--metric", "command_time", "--metric", "comand_time") == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --metric comand_time: no metric has this name",
        "hint: choose of these: command_time",
    ]


def test_what_a_calibration_has_no_use_for_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (("-o", "x.md"), ("--format", "json"), ("--allow-inconclusive",)):
        assert run(["gate", "--calibrate", "--command", COMMAND, *options]) == 2
        assert "--calibrate judges nothing" in capsys.readouterr().err


def test_a_metric_that_the_change_no_longer_writes_is_missing_and_code_4(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "bench.sh").write_text(BENCHMARK.replace("work", "other"))
    assert gate() == 4
    assert "MISSING" in capsys.readouterr().out


# --- ends ------------------------------------------------------------------------------------------------------------


def started(repository: Path, command: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "gate", "--against", "HEAD", "--command", command, *options],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def counting(log: Path, hang_at: int) -> str:
    """The benchmark, which notes each run and hangs in one of them, with a child of its own."""
    return f"echo x >> {log}; [ $(wc -l < {log}) -ge {hang_at} ] && {{ sleep 300 & sleep 300; }}; {COMMAND}"


def wait_for(log: Path, lines: int, gate: subprocess.Popen[str]) -> None:
    while not log.exists() or len(log.read_text().splitlines()) < lines:
        assert gate.poll() is None, gate.communicate()
        time.sleep(0.01)


def two_sleepers(gate: subprocess.Popen[str]) -> list[psutil.Process]:
    """Both processes of a command that hangs, once they are there."""
    while len(found := [one for one in family_of(gate) if name_of(one) == "sleep"]) < 2:
        assert gate.poll() is None, gate.communicate()
        time.sleep(0.01)
    return found


def family_of(gate: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(gate.pid).children(recursive=True)


def name_of(process: psutil.Process) -> str:
    """Empty of one that has ended since it was found."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def have_ended(processes: list[psutil.Process]) -> bool:
    """Also those that were killed, and have not had the processor since."""
    deadline_s = time.monotonic() + 30
    while any(map(is_alive, processes)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return not any(map(is_alive, processes))


def test_ctrl_c_in_the_middle_of_a_pair_reports_what_was_finished_and_leaves_nothing(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "time").write_text("0.11")
    log = tmp_path / "log"
    run_number = 2 + 2 * 16 + 1  # the warm-up of both arms, 16 pairs, and the first half of pair 17
    gate = started(repository, counting(log, run_number))
    wait_for(log, run_number, gate)
    left = two_sleepers(gate)
    gate.send_signal(signal.SIGINT)
    out, err = gate.communicate(timeout=60)
    assert gate.returncode == 130
    assert out.startswith("INTERRUPTED: 1 inconclusive")
    assert "Traceback" not in err
    assert have_ended(left)


def test_what_a_killed_gate_has_left_is_removed_by_the_next(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = started(repository, counting(log, 4))
    wait_for(log, 4, killed)
    left = two_sleepers(killed)
    killed.kill()
    killed.communicate()
    assert len(git(repository, "worktree", "list").splitlines()) == 3
    assert gate() == 0
    assert have_ended(left)


def test_two_gates_in_one_directory_do_not_meet(repository: Path) -> None:
    both = [started(repository, COMMAND) for _ in range(2)]
    told = [one.communicate(timeout=180) for one in both]
    assert [one.returncode for one in both] == [0, 0], told
