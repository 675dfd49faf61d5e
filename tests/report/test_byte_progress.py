"""Is the bar for bytes shown on a terminal, and nothing anywhere else?"""

from __future__ import annotations

import io

import pytest

from synapse_perf.report.byte_progress import ByteProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, *, quiet: bool = False, steps: int = 2) -> str:
    with ByteProgress("making it", quiet=quiet, stream=stream) as progress:
        for step in range(steps):
            progress.observe(512 * (step + 1), 1024)
    return stream.getvalue()


def test_a_terminal_shows_label_and_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = shown(Terminal())
    assert "making it" in text
    assert "1.0 KiB" in text


def test_nothing_to_do_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Terminal(), steps=0) == ""


@pytest.mark.parametrize(
    ("terminal", "term", "quiet"), [(False, "xterm", False), (True, "dumb", False), (True, "xterm", True)]
)
def test_a_pipe_a_dumb_terminal_and_quiet_show_nothing(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, term: str, quiet: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    assert shown(Terminal() if terminal else io.StringIO(), quiet=quiet) == ""
