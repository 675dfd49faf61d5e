"""A reader meets the old file or the new one, whatever ends the writer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.errors import InputError
from synapse_perf.results import reading
from tests.made_results import made_result


def test_an_old_file_keeps_its_mode_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "real.json").chmod(0o640)
    (tmp_path / "link.json").symlink_to("real.json")

    results.write(tmp_path / "link.json", made_result())

    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").stat().st_mode & 0o777 == 0o640
    assert results.load(tmp_path / "real.json") == made_result()


def test_a_new_file_honours_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        results.write(tmp_path / "r.json", made_result())
    finally:
        os.umask(before)

    assert (tmp_path / "r.json").stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to_and_not_replaced() -> None:
    code = "from synapse_perf import results; from tests.made_results import made_result;"
    code += "results.write('/dev/stdout', made_result())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert reading.parse(done.stdout, "stdout") == made_result()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/r.json", "its directory does not exist"),
        (".", "it is a directory"),
        ("file/r.json", "what should be its directory is a file"),
        ("n" * 300, "the name is too long"),
        ("a\0b", "not a file name"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=message) as caught:
        results.write(tmp_path / name, made_result())
    assert caught.value.remedy
    assert caught.value.message.isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_device_is_told() -> None:
    with pytest.raises(InputError, match="/dev/full: cannot be written: no space is left on the disk"):
        results.write("/dev/full", made_result())


def test_a_file_that_may_not_grow_leaves_the_old_one_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("old")
    small = len(results.dumps(made_result())) // 2
    code = f"""
import resource
from synapse_perf import results
from synapse_perf.errors import InputError
from tests.made_results import made_result
resource.setrlimit(resource.RLIMIT_FSIZE, ({small}, {small}))
try:
    results.write({str(tmp_path / "r.json")!r}, made_result())
except InputError as error:
    print(error.message, "|", error.remedy)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "r.json: cannot be written: larger than files may be here | raise the limit (ulimit -f)" in done.stdout
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("r.json", "old")]


# Kills itself at the k-th line or system call of the writing code, for each k until the writing succeeds.
KILLED_EVERYWHERE = """
import os, pathlib, signal, sys
from pathlib import Path
from synapse_perf import atomic_files, results
from tests.made_results import made_result, with_samples

how, target = sys.argv[1], Path(sys.argv[2])
new = results.dumps(with_samples(made_result(), *(n / 7 for n in range(200))))


def write_and_die_at(moment):
    passed = 0

    def tick(frame, event, argument):
        nonlocal passed
        file = frame.f_code.co_filename
        if file == atomic_files.__file__ or (file == pathlib.__file__ and event.startswith("c_")):
            passed += 1
            if passed == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        return tick

    sys.settrace(tick)
    sys.setprofile(tick)
    (atomic_files.write_atomically if how == "atomically" else Path.write_text)(target, new)


seen = {"old": 0, "new": 0}
for moment in range(1, 10_000):
    for leftover in target.parent.glob(".*.tmp"):
        leftover.unlink()
    target.write_text("old")
    child = os.fork()
    if child == 0:
        write_and_die_at(moment)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    content = target.read_text()
    assert content in ("old", new), f"half a file after moment {moment}"
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    seen["old" if content == "old" else "new"] += 1
print(seen["old"], seen["new"], content == new)
"""


def kill_everywhere(how: str, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED_EVERYWHERE, how, str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_kill_9_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    done = kill_everywhere("atomically", tmp_path / "r.json")

    assert done.returncode == 0, done.stderr
    before, after, finished = done.stdout.split()
    assert int(before) > 30
    assert int(after) > 3
    assert finished == "True"


def test_the_same_kills_find_half_a_file_where_writing_is_not_atomic(tmp_path: Path) -> None:
    assert "half a file after moment" in kill_everywhere("plainly", tmp_path / "r.json").stderr


def test_what_killed_writers_left_is_removed_by_a_later_one(tmp_path: Path) -> None:
    leftover, recent = tmp_path / ".r.json.0123456789ab.tmp", tmp_path / ".r.json.ba9876543210.tmp"
    leftover.write_text("half")
    os.utime(leftover, (0, 0))
    recent.write_text("being written")

    results.write(tmp_path / "r.json", made_result())

    assert {path.name for path in tmp_path.iterdir()} == {"r.json", recent.name}


def test_readers_beside_a_writer_never_see_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    code = f"""
import sys
from synapse_perf import results
from tests.made_results import made_result
for line in sys.stdin:
    results.write({str(target)!r}, made_result())
    print("written", flush=True)
"""
    results.write(target, made_result())
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        for _ in range(50):
            writer.stdin.write("go\n")
            writer.stdin.flush()
            assert results.load(target) == made_result()
            assert writer.stdout.readline() == "written\n"
        writer.stdin.close()

    assert writer.returncode == 0
