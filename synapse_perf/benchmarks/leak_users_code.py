"""How is a function of the user's called again and again, with what it needs around it?

Plain or async, on one event loop that lasts; with a setup before the first call and a teardown after the last. What
the setup gives, if anything, is the first argument of both. Standard library only: it runs in the user's own
environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.hang_watch import HangWatch
from synapse_perf.benchmarks.leak_loop import set_aside
from synapse_perf.benchmarks.user_code import Caller, failed, find_factory, import_named, is_misfit
from synapse_perf.host.leak_probes import descendants, own_probes

LOOP_TURNS = 3  # for tasks that need no more than that to end
_GENERATORS = 0x20 | 0x200  # CO_GENERATOR, CO_ASYNC_GENERATOR


class UsersCode:
    """The functions that the workload names, and how they are called."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.workload = context.workload
        self.caller = Caller()
        self.watch = HangWatch(context, self.workload.get("patience_s"), self.caller.waiting_frames)
        self.arguments: list[Any] = list(self.workload.get("arguments", ()))
        self.keywords: dict[str, Any] = dict(self.workload.get("keywords", {}))
        self.function: Callable[..., Any] | None = None
        self._called: Callable[..., Any] | None = None
        self.given: tuple[Any, ...] = ()
        sys.path[1:1] = self.workload.get("paths", ())
        context.at_end(_end_children)

    def prepare(self) -> None:
        reference: str = self.workload["function"]
        own_probes()  # imports all that reading needs
        set_aside(self._context)
        self.watch.stage(f"importing {reference.partition(':')[0]}")
        self.function = function = find_factory(import_named(reference), reference)
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _GENERATORS:
            told = f"{reference} is a generator: calling it runs none of its lines"
            raise BenchmarkFailed("error", told, "name a function that goes through it, as by list()")
        if (setup := self._find("setup")) is not None:
            made = self._run(setup, f"{self.workload['setup']}()", ())
            self.given = () if made is None else (made,)
        self._called = lambda *given: function(*given, *self.arguments, **self.keywords)
        self.watch.stage(f"calling {reference} again and again")

    def call(self, number: int, *more: Any) -> None:
        """One call; `more` comes after what the setup gave, and before the arguments of the workload."""
        assert self._called is not None
        self.watch.doing = f"call {number} of {self.workload['function']}"
        self._run(self._called, self.watch.doing, (*self.given, *more))
        self._let_tasks_end()

    def held_by_name(self) -> dict[str, object]:
        """Where an owner may be besides the modules."""
        return {"what the setup gave": self.given[0]} if self.given else {}

    def tear_down(self) -> None:
        if (teardown := self._find("teardown")) is not None:
            self._run(teardown, f"{self.workload['teardown']}()", self.given)

    def _find(self, role: str) -> Callable[..., Any] | None:
        reference = self.workload.get(role)
        return find_factory(import_named(reference), reference) if reference else None

    def _run(self, function: Callable[..., Any], doing: str, given: tuple[Any, ...]) -> Any:
        try:
            return self.caller.call(function, *given).value
        except BaseException as error:
            raise self._explained(doing, error) from error

    def _explained(self, doing: str, error: BaseException) -> BenchmarkFailed:
        if is_misfit(error):  # no line of the user's has run, so there is nothing to trace
            remedy = "give what it needs with --arg, or name a function that needs nothing"
            return BenchmarkFailed("error", f"{doing}: {error}", remedy)
        return failed(doing, error, "see that it can be called again and again by hand")

    def _let_tasks_end(self) -> None:
        """A few turns of the loop: a task that was left with nothing more to do is no leak."""
        if not self.caller.awaited:
            return
        loop = self.caller.own_loop()
        import asyncio

        for _ in range(LOOP_TURNS):
            loop.run_until_complete(asyncio.sleep(0))


def _end_children() -> None:
    """What the code has started and left, also where it leads a session of its own and no signal to a group comes."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
