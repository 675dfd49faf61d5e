"""What leads to an answer of a user's retriever: import, factory, question; each told to the display and watched."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.hang_watch import HangWatch
from synapse_perf.benchmarks.user_code import (
    Caller,
    Timed,
    ask,
    build,
    count_results,
    find_factory,
    find_retrieve,
    import_named,
)

REMEDY = 'give one {"query": "its text"} per line'


class Session:
    """One user's retriever in this process: the steps that lead to its first answer, each of them once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.reference: str = context.workload["factory"]
        self.caller = Caller()
        self.watch = HangWatch(context, context.workload.get("patience_s"), self.caller.waiting_frames)
        self.queries = Queries(context.workload["queries"])
        self.first = _first_query(context, len(self.queries))
        self.is_async = False  # whether the last answer had to be awaited
        self._factory: Callable[[], Any] | None = None
        self._retrieve: Callable[[str], Any] | None = None
        sys.path[1:1] = context.workload.get("paths", ())  # after the current folder, where PYTHONPATH is as well

    def import_module(self) -> float:
        """Import the module, unless that came first in this process; the seconds that it took."""
        self.watch.stage(f"importing {self.reference.partition(':')[0]}")
        start_ns, end_ns = (look[0] for look in self.context.first_import)
        if not self.context.workload.get("first_import"):
            start_ns = time.perf_counter_ns()
        module = import_named(self.reference)
        if not self.context.workload.get("first_import"):
            end_ns = time.perf_counter_ns()
        self._factory = find_factory(module, self.reference)
        return (end_ns - start_ns) * 1e-9

    def build(self) -> Timed:
        assert self._factory is not None
        self.watch.stage(f"calling {self.reference}()")
        built = build(self.caller, self._factory, self.reference)
        self._retrieve = find_retrieve(built.value, self.reference)
        return built

    def ask(self, number: int) -> Timed:
        """Ask for a query of the file by its place, from 0."""
        return self.ask_text(self.queries[number], number)

    def ask_text(self, text: str, number: int) -> Timed:
        awaited = self.caller.awaited
        timed = ask(self.caller, self.retrieve, text, number + 1)
        self.is_async = self.caller.awaited > awaited
        return timed

    @property
    def retrieve(self) -> Callable[[str], Any]:
        """The user's own function, once it is built."""
        assert self._retrieve is not None
        return self._retrieve

    def count(self, answer: object) -> int | None:
        """How many results an answer has; an answer of a kind that does not tell gives a warning, once."""
        results = count_results(answer)
        if results is None:
            kind = type(answer).__name__
            self.context.facts["warnings"] = [f"the results in an answer of type {kind} are not counted"]
        return results


class Queries(Sequence[str]):
    """The texts of a file with one ``{"query": text, ...}`` per line, each parsed when it is needed."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs time within a start
                lines = file.read().split(b"\n")
        except OSError as error:
            told = f"the queries in {path} cannot be read: {error.strerror}"
            raise BenchmarkFailed("error", told, "give another file") from error
        self._lines = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if not self._lines:
            raise BenchmarkFailed("error", f"{path} has no query", REMEDY)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: Any) -> Any:
        number, line = self._lines[place]
        try:
            text = json.loads(line)["query"]
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str) or not text.strip():
            raise BenchmarkFailed("error", f"{self._path}:{number}: not a query", REMEDY)
        return text


def _first_query(context: Context, count: int) -> int:
    """The place to begin at; where none is given, another in each process, as no two start in the same microsecond."""
    first = context.workload.get("first")
    return (context.spawned_ns // 1000 if first is None else int(first)) % count
