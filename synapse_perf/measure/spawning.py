"""How is a process started so that no interrupt comes between its start and our knowing of it?"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def held_interrupts() -> Iterator[None]:
    """An interrupt is only noted here and raised at the end: a process in a session of its own would outlive it."""
    noted: list[int] = []
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    is_main = threading.current_thread() is threading.main_thread()  # which alone may set handlers, and is interrupted
    heeded = [number for number in numbers if is_main and callable(signal.getsignal(number))]
    before = {number: signal.signal(number, lambda got, _frame: noted.append(got)) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        raise KeyboardInterrupt
