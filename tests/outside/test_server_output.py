"""Each line that a child prints has the moment at which it came, and a child is started so that none is missed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from synapse_perf.outside import server_output
from synapse_perf.outside.server_output import Output, spawned


class Pipe:
    def __init__(self) -> None:
        read_end, self.end = os.pipe()
        self.output = Output(read_end)

    def write(self, content: bytes) -> None:
        os.write(self.end, content)

    def close(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1
        self.output.wait(10)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def texts(pipe: Pipe) -> list[str]:
    return [text for _, text in pipe.output.lines()]


def test_lines_come_whole_however_they_were_written(pipe: Pipe) -> None:
    pipe.write(b"one\ntw")
    pipe.write(b"o\nthr\xc3")
    pipe.write(b"\xa9e")
    pipe.close()

    assert texts(pipe) == ["one", "two", "thr\u00e9e"]


def test_a_line_has_the_moment_of_its_first_piece(pipe: Pipe) -> None:
    pipe.write(b"begun")
    while not pipe.output.lines():
        time.sleep(0)
    middle_ns = time.perf_counter_ns()
    pipe.write(b" and ended\nlater\n")
    pipe.close()

    (first_ns, first), (second_ns, second) = pipe.output.lines()
    assert (first, second) == ("begun and ended", "later")
    assert first_ns < middle_ns < second_ns
    assert pipe.output.lines(until_ns=middle_ns) == [(first_ns, "begun")]


def test_a_flood_keeps_its_beginning_and_its_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_output, "HEAD_BYTES", 100)
    pipe.write(b"first\n")
    for number in range(5000):
        pipe.write(b"%05d %s\n" % (number, b"x" * 50))
    pipe.close()

    assert texts(pipe)[0] == "first"
    assert len(texts(pipe)) < 5000
    assert pipe.output.tail(1).startswith("04999")


# --- children ---------------------------------------------------------------------------------------------------------


def test_what_a_child_prints_on_either_stream_comes_in_its_order() -> None:
    code = "import os, sys; os.write(1, sys.stdin.buffer.read()); os.write(2, os.environb[b'WORD'])"
    process, output = spawned([sys.executable, "-c", code], {"WORD": "world"}, subprocess.PIPE)
    process.communicate(b"hello\n", timeout=30)
    output.wait(10)

    assert [text for _, text in output.lines()] == ["hello", "world"]
    assert process.returncode == 0


def test_a_child_leads_a_group_of_its_own_and_has_nothing_to_read() -> None:
    code = "import os, sys; print(os.getpgid(0) == os.getpid(), repr(sys.stdin.read()))"
    process, output = spawned([sys.executable, "-c", code], {})
    process.wait(30)
    output.wait(10)

    assert output.tail() == "True ''"


def test_a_program_that_is_not_there_leaves_no_descriptor_open() -> None:
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="no-such-program"):
        spawned(["no-such-program"], {})

    assert psutil.Process().num_fds() <= before  # what tests before left may be closed meanwhile
