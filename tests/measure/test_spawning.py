"""An interrupt that comes while a process is started is heard once the process is known, and not before."""

from __future__ import annotations

import signal
import threading

import pytest

from synapse_perf.measure.spawning import held_interrupts


def test_an_interrupt_waits_for_the_end_and_is_raised_then() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), held_interrupts():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]


def test_handlers_are_what_they_were_afterwards_also_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with held_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    with pytest.raises(OSError, match="no such program"), held_interrupts():
        raise OSError("no such program")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_ignored_stays_ignored_and_other_threads_change_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held_interrupts():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    seen: list[None] = []
    with_one = threading.Thread(target=lambda: seen.append(held_interrupts().__enter__()))
    with_one.start()
    with_one.join()
    assert seen == [None]
