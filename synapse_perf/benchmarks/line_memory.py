"""What does each line of one function add to the memory? The only code that knows memory-profiler.

Nobody maintains that package any more. It reads the resident memory after each line, 0.2 ms a time, so it is asked
about one function and few lines; a coroutine function it would turn into a generator, which nothing can await.
"""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed

MOST_LINES = 20_000  # executed: five seconds of them
MOST_CALLS = 20
LONGEST_TEXT = 100
MIB = 1024**2


class LineGrowth(NamedTuple):
    """Of one line, for one call."""

    line: int
    growth_bytes: float
    hits: float
    text: str


class LineTable(NamedTuple):
    """The lines that ran, in their order."""

    file: str
    calls: int
    lines: list[LineGrowth]


def line_table(name: str, function: Any, call: Callable[[], object]) -> LineTable:
    """Of the function while `call` is made some times; BenchmarkFailed, with the reason, where it cannot be told."""
    code = _code_of(name, function)
    try:
        from memory_profiler import LineProfiler
    except ImportError as error:
        told = f"--lines {name}: {sys.executable} has no memory-profiler"
        raise BenchmarkFailed("error", told, f"{sys.executable} -m pip install memory-profiler") from error
    executed = _executed_lines(code, call)
    if executed == 0:
        raise BenchmarkFailed("error", f"--lines {name}: it does not run in a call", "name a function that a call uses")
    if executed > MOST_LINES:
        told = f"--lines {name}: more than {MOST_LINES} lines run in a call, which would take minutes"
        raise BenchmarkFailed("error", told, "name a function inside of it, or give it less to do with --arg")
    calls = max(1, min(MOST_CALLS, MOST_LINES // executed))
    profiler = LineProfiler(backend="psutil")
    profiler.add_function(inspect.unwrap(function))
    profiler.enable_by_count()
    try:
        for _ in range(calls):
            call()
    finally:
        profiler.disable_by_count()
    return LineTable(code.co_filename, calls, _lines(profiler, code, calls))


def _code_of(name: str, function: Any) -> CodeType:
    function = inspect.unwrap(function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        told = (
            f"--lines {name}: it is async, which memory-profiler cannot follow: nothing could await what it makes of it"
        )
        raise BenchmarkFailed("error", told, "name a plain function that it calls")
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        told = f"--lines {name}: it has no lines of Python: it is compiled, or a class"
        raise BenchmarkFailed("error", told, "name a function, or a method as pkg.module:Class.method")
    return code


def _executed_lines(code: CodeType, call: Callable[[], object]) -> int:
    """In one call, and no more than one above what is allowed; what it defines inside counts too."""
    codes, count = _with_inner(code), 0

    def follow(frame: FrameType, event: str, given: Any) -> Any:
        nonlocal count
        del given
        if frame.f_code not in codes:
            return None
        count += event == "line"
        if count > MOST_LINES:
            sys.settrace(None)
            return None
        return follow

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def _with_inner(code: CodeType) -> set[CodeType]:
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return {code}.union(*map(_with_inner, inner))


def _lines(profiler: Any, code: CodeType, calls: int) -> list[LineGrowth]:
    """Without the line of the def, for which all memory is counted that was there before."""
    found = []
    for file, lines in profiler.code_map.items():
        for number, measured in lines:
            if measured and number != code.co_firstlineno:
                growth_mib, _, hits = measured
                text = linecache.getline(file, number).rstrip()[:LONGEST_TEXT]
                found.append(LineGrowth(number, growth_mib * MIB / calls, hits / calls, text))
    return found
