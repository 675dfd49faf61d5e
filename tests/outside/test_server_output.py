"""Each line that a child prints has the moment at which it came."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from synapse_perf.outside import server_output
from synapse_perf.outside.server_output import Output


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
