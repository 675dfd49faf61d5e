"""How far is a large file, while it is written? A bar on stderr, and nothing where that is no terminal."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

_REFRESHES_PER_SECOND = 4


class ByteProgress:
    """Hand `observe` to the writer, and write within the context; the bar is gone afterwards."""

    def __init__(self, label: str, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        is_dumb = os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
        self._is_silent = quiet or is_dumb or not self._stream.isatty()
        self._bar: Progress | None = None

    def __enter__(self) -> ByteProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def observe(self, done_bytes: int, total_bytes: int) -> None:
        """Show so many bytes of so many; the bar appears with the first call, so that nothing to do shows none."""
        if self._is_silent:
            return
        if self._bar is None:
            self._bar = self._start(total_bytes)
        self._bar.update(self._bar.task_ids[0], completed=done_bytes)

    def _start(self, total_bytes: int) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as SpeedColumn

        console = Console(file=self._stream, markup=False, highlight=False, emoji=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True))
        bar = Progress(
            *columns,
            SpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )
        bar.add_task(self._label, total=total_bytes)
        bar.start()
        return bar
