"""Whose code is measured? Loads a user's retriever, asks it, and puts whatever goes wrong in there into one line.

Standard library only, as it runs in the user's own environment.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed

if TYPE_CHECKING:
    import asyncio

LONGEST_WORDS = 200  # characters of a user's error message
# What asyncio says to a plain function that needs the loop it would have in a service.
_WANTS_LOOP = ("no running event loop", "no current event loop")
_OWN_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs time


class Timed(NamedTuple):
    """What a call gave, and what it took: on the clock, and on all processors together."""

    value: Any
    wall_ns: int
    cpu_ns: int
    ended_ns: int


class Caller:
    """Calls a user's code, awaits what it gives on one event loop for all calls, and times the work itself.

    A plain function is called without a running loop, as one that calls asyncio.run would refuse to work in one;
    a function that turns out to need a running loop is called inside it from then on.
    """

    def __init__(self) -> None:
        self.loop_s: float | None = None  # what asyncio's import and a loop took, once they were needed
        self.awaited = 0  # calls that had to be
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls_inside = False

    def call(self, function: Callable[..., Any], *arguments: object) -> Timed:
        """The value, awaited and taken out of a generator: a lazy answer does its work when it is read."""
        if self._calls_inside:
            return self._in_loop(function, arguments)
        try:
            timed = call_plainly(function, *arguments)
        except RuntimeError as error:
            if not any(words in str(error) for words in _WANTS_LOOP):
                raise
            self._calls_inside = True
            return self._in_loop(function, arguments)
        if not (hasattr(timed.value, "__await__") or hasattr(timed.value, "__anext__")):
            return timed
        rest = self._in_loop(lambda: timed.value, ())
        return rest._replace(wall_ns=timed.wall_ns + rest.wall_ns, cpu_ns=timed.cpu_ns + rest.cpu_ns)

    def waiting_frames(self) -> list[FrameType]:
        """Where the coroutines of the loop's tasks wait, innermost first; for another thread, when nothing goes on."""
        if self._loop is None or not self._loop.is_running():
            return []
        import asyncio

        return [frame for task in asyncio.all_tasks(self._loop) for frame in _frames_of(task.get_coro())]

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of all calls, made when it is first needed."""
        if self._loop is None:
            started_ns = time.perf_counter_ns()
            import asyncio

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            self.loop_s = (time.perf_counter_ns() - started_ns) * 1e-9
        return self._loop

    def _in_loop(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Timed:
        loop = self.own_loop()
        self.awaited += 1
        return loop.run_until_complete(call_awaiting(function, *arguments))


def call_plainly(function: Callable[..., Any], *arguments: object) -> Timed:
    """The value in the calling thread, taken out of a generator."""
    cpu_ns, started_ns = time.process_time_ns(), time.perf_counter_ns()
    value = function(*arguments)
    if hasattr(value, "__next__") and not hasattr(value, "__await__"):
        value = list(value)
    ended_ns = time.perf_counter_ns()
    return Timed(value, ended_ns - started_ns, time.process_time_ns() - cpu_ns, ended_ns)


async def call_awaiting(function: Callable[..., Any], *arguments: object) -> Timed:
    """The value, awaited on the running loop if that is needed, and taken out of a generator of either kind."""
    cpu_ns, started_ns = time.process_time_ns(), time.perf_counter_ns()
    value = function(*arguments)
    if hasattr(value, "__await__"):
        value = await value
    if hasattr(value, "__anext__"):
        value = [each async for each in value]
    elif hasattr(value, "__next__"):
        value = list(value)
    ended_ns = time.perf_counter_ns()
    return Timed(value, ended_ns - started_ns, time.process_time_ns() - cpu_ns, ended_ns)


def _frames_of(coroutine: object) -> list[FrameType]:
    """A suspended coroutine's frames, innermost first: each awaits the next."""
    frames: list[FrameType] = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.insert(0, frame)
        coroutine = getattr(coroutine, "cr_await", None)
    return frames


# --- from "package.module:factory" to a function that takes a query --------------------------------------------------


def import_named(reference: str) -> ModuleType:
    """The module of ``package.module:factory``."""
    name = reference.partition(":")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == name or name.startswith(f"{missing}."):
            told = f"{sys.executable} finds no module {missing}: {_first_line(error)}"
            remedy = "start in the folder that holds it, or name the environment where it is installed with --python"
            raise BenchmarkFailed("error", told, remedy) from error
        told = f"importing {name}: {_first_line(error)}"
        remedy = f"install it for {sys.executable}, or name the environment that has it with --python"
        raise BenchmarkFailed("error", told, remedy, trace_of(error)) from error
    except BaseException as error:
        raise failed(f"importing {name}", error, "see that it can be imported by hand") from error


def find_factory(module: ModuleType, reference: str) -> Callable[[], Any]:
    """The attribute of the module, which may be dotted."""
    found: Any = module
    for step in reference.partition(":")[2].split("."):
        try:
            found = getattr(found, step)
        except AttributeError as error:
            told = f"{module.__name__} has no {step}" if found is module else f"{reference}: there is no {step}"
            raise BenchmarkFailed("error", told, _what_there_is(found)) from error
    if not callable(found):
        told = f"{reference} is {_a(found)}, which cannot be called"
        raise BenchmarkFailed("error", told, "name a function or a class that builds the retriever")
    factory: Callable[[], Any] = found
    return factory


def build(caller: Caller, factory: Callable[[], Any], reference: str) -> Timed:
    """Call the factory; `find_retrieve` has the use of what it gives."""
    try:
        return caller.call(factory)
    except BaseException as error:
        remedy = "name a function that needs no arguments" if is_misfit(error) else "see that it works by hand"
        raise failed(f"{reference}()", error, remedy) from error


def find_retrieve(built: object, reference: str) -> Callable[[str], Any]:
    """The function that is asked: ``retrieve`` of what the factory built, or that itself."""
    if isinstance(built, type):
        told = f"{reference}() gave the class {built.__name__} itself"
        raise BenchmarkFailed("error", told, f"return {built.__name__}(), or name the class as the factory")
    retrieve: Any = getattr(built, "retrieve", built)
    if not callable(retrieve):
        told = f"{reference}() gave {_a(built)}, which has no retrieve(query) and cannot be called"
        raise BenchmarkFailed("error", told, "return an object with retrieve(query), or a function of the query")
    asked: Callable[[str], Any] = retrieve
    return asked


def ask(caller: Caller, retrieve: Callable[[str], Any], query: str, number: int) -> Timed:
    """Ask for one query; `number` is its line in the file, from 1."""
    try:
        timed = caller.call(retrieve, query)
    except BaseException as error:
        remedy = "it is called with the query's text alone" if is_misfit(error) else "ask it that query by hand"
        raise failed(f"retrieve() of query {number}", error, remedy) from error
    if timed.value is None:
        told = f"retrieve() gave None for query {number}"
        raise BenchmarkFailed("error", told, "return what was found, an empty list where nothing was")
    return timed


def count_results(answer: object) -> int | None:
    """How many results an answer has; None where its kind does not tell.

    A mapping or an object of its own counts as long as its lists, if they are of one length: texts, scores, ids.
    """
    if isinstance(answer, (str, bytes)):
        return None
    if not isinstance(answer, dict):
        try:
            return len(answer)  # type: ignore[arg-type]
        except Exception:  # whatever a foreign __len__ may raise
            answer = getattr(answer, "__dict__", {})
    lengths = {len(value) for value in dict(answer).values() if isinstance(value, list)}
    return lengths.pop() if len(lengths) == 1 else None


# --- what goes wrong -------------------------------------------------------------------------------------------------


def failed(doing: str, error: BaseException, remedy: str) -> BenchmarkFailed:
    """The failure that a user reads, in one line; the user's own frames are its detail."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, MemoryError):
        return BenchmarkFailed("out-of-memory", f"{doing}: no memory left", "close other programs, or take less data")
    if isinstance(error, SystemExit):
        return BenchmarkFailed("error", f"{doing}: it called sys.exit({error.code!r})", remedy, trace_of(error))
    return BenchmarkFailed("error", f"{doing}: {type(error).__name__}: {_first_line(error)}", remedy, trace_of(error))


def trace_of(error: BaseException) -> str:
    """The traceback from the first frame that is the user's."""
    import traceback

    return "".join(traceback.format_exception(type(error), error, _users_part(error)))


def _users_part(error: BaseException) -> TracebackType | None:
    """What comes after the last frame of the tool's and the machinery of imports."""
    users = part = error.__traceback__
    while part is not None:
        if part.tb_frame.f_code.co_filename.startswith(_OWN_CODE):
            users = part.tb_next
        part = part.tb_next
    while users is not None and "importlib" in users.tb_frame.f_code.co_filename:
        users = users.tb_next
    return users


def is_misfit(error: BaseException) -> bool:
    """Whether a call was refused for its arguments: then no line of the user's has run."""
    return isinstance(error, TypeError) and _users_part(error) is None


def _first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an error that cannot even be printed
        lines = []
    line = lines[0] if lines else "it says nothing"
    return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 3]}..."


def _what_there_is(place: object) -> str:
    """Which names could have been meant."""
    names = [name for name in dir(place) if not name.startswith("_") and callable(getattr(place, name, None))]
    return f"it has: {', '.join(names[:8])}" if names else "it has nothing that could be called"


def _a(thing: object) -> str:
    return "None" if thing is None else f"an object of type {type(thing).__name__}"
