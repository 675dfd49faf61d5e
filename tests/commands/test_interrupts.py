"""A first interrupt is held back where something must be finished, a second one is not."""

from __future__ import annotations

import os
import signal

import pytest

from synapse_perf.commands.interrupts import HeldInterrupts


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_the_first_interrupt_is_noted_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    with HeldInterrupts() as held:
        interrupt()
        is_finished = True

    assert (held.is_interrupted, is_finished) == (True, True)
    assert capsys.readouterr().err == "interrupted: finishing the report, once more to leave at once\n"


def test_a_request_to_end_is_held_as_well() -> None:
    with HeldInterrupts() as held:
        interrupt(signal.SIGTERM)

    assert held.is_interrupted


def test_the_second_interrupt_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt), HeldInterrupts():
        interrupt()
        interrupt()


def test_after_an_earlier_one_the_first_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt), HeldInterrupts(again=True):
        interrupt()


def test_nothing_is_held_without_an_interrupt() -> None:
    with HeldInterrupts() as held:
        pass

    assert not held.is_interrupted


def test_afterwards_the_handlers_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    with HeldInterrupts():
        assert signal.getsignal(signal.SIGINT) is not before

    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with HeldInterrupts() as held:
            interrupt(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert not held.is_interrupted
