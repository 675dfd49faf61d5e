from __future__ import annotations

import pytest

from synapse_perf.host.profiler_access import binary, dump, profiler_access, remedy_for, remedy_for_others


def test_the_answer_is_what_a_try_gives() -> None:
    """Wherever this runs, permission is tried: the line agrees with a dump of our own."""
    found = binary()
    line = profiler_access()
    if line.state == "ok":
        assert found is not None
        assert dump(found) is None
    else:
        assert line.state == "unavailable"
        assert line.remedy


def test_a_refusal_is_told_in_py_spys_own_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    program = tmp_path_factory.mktemp("bin") / "py-spy"
    program.write_text("#!/bin/sh\necho 'Error: Permission Denied: try again with elevated permissions' >&2\nexit 1\n")
    program.chmod(0o755)
    assert dump(str(program)) == "Permission Denied: try again with elevated permissions"


def test_a_binary_that_cannot_run_is_a_refusal(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert "No such file" in (dump(str(tmp_path_factory.mktemp("bin") / "py-spy")) or "")


@pytest.mark.parametrize(
    ("scope", "in_container", "remedy"),
    [
        (None, True, "start the container with --cap-add SYS_PTRACE"),
        (2, False, "sudo sysctl kernel.yama.ptrace_scope=1"),
        (1, False, "run as root"),
        (None, False, "run as root"),
    ],
)
def test_the_remedy_fits_what_forbids_it(scope: int | None, in_container: bool, remedy: str) -> None:
    assert remedy_for(scope, in_container) == remedy


@pytest.mark.parametrize(
    ("scope", "in_container", "remedy"),
    [
        (1, True, "start this container with --cap-add SYS_PTRACE"),
        (3, False, "this system lets nobody look (kernel.yama.ptrace_scope is 3)"),
        (2, False, "run this as root"),
        (1, False, "run this as root, or: sudo sysctl kernel.yama.ptrace_scope=0"),
        (None, False, "run this as root"),
    ],
)
def test_what_lets_a_process_of_somebody_elses_be_looked_at(scope: int | None, in_container: bool, remedy: str) -> None:
    assert remedy_for_others(scope, in_container) == remedy
