"""A service that a command starts, in a process group of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence

from synapse_perf.outside.process_tree import end_tree, has_group
from synapse_perf.outside.server_output import Output, spawned
from synapse_perf.outside.started_service import PartMoment, ServiceEnded
from synapse_perf.samples import Json


class StartedCommand:
    """From `start` until `remove`; what it prints is kept for where it fails."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self._words = list(words)
        self._env = dict(env)
        self.process: subprocess.Popen[bytes] | None = None
        self._output: Output | None = None
        self._spawned_ns = 0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def start(self) -> None:
        """Raises OSError for a program that cannot be started."""
        self.process, self._output = spawned(self._words, {**os.environ, **self._env})
        self._spawned_ns = time.perf_counter_ns()

    def phases(self) -> dict[str, int]:
        return {"spawn": self._spawned_ns}

    def parts(self) -> Sequence[PartMoment]:
        return ()

    def health_checks(self) -> Mapping[str, Json]:
        return {}

    def check(self) -> None:
        """Raises ServiceEnded where it is no more; a leader that ends well may have left it in the background."""
        assert self.process is not None
        status = self.process.poll()
        if status is None or (status == 0 and has_group(self.process.pid)):
            return
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise ServiceEnded(f"the command ended with {how} before the service was ready", self.last_lines())

    def output(self) -> str:
        assert self._output is not None
        return "\n".join(text for _, text in self._output.lines())

    def last_lines(self) -> str:
        assert self._output is not None
        if self.process is not None and self.process.poll() is not None:
            self._output.wait(1.0)
        return self._output.tail(20)

    def remove(self) -> None:
        """End it and all that it has started; waits until they are gone."""
        if self.process is not None:
            end_tree(self.process)
            assert self._output is not None
            self._output.wait(1.0)
