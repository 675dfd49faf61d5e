"""A user's retrievers that are planted with what only load brings to light; the tests copy it beside their package."""

from __future__ import annotations

import asyncio
import ctypes
import sqlite3
import sys
import threading
import time
from typing import Any

TAKES_S = 0.004


class Fine:
    def retrieve(self, query: str) -> list[dict[str, Any]]:
        time.sleep(TAKES_S)
        return [{"id": place, "text": word, "score": time.perf_counter()} for place, word in enumerate(query.split())]


class Racing:
    """Keeps the query in itself while it searches."""

    def retrieve(self, query: str) -> list[str]:
        self.query = query
        time.sleep(TAKES_S)
        return self.query.split()


class Sqlite:
    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")

    def retrieve(self, query: str) -> list[Any]:
        return self.database.execute("select ?", (query,)).fetchall()


class RunsItsOwnLoop:
    def retrieve(self, query: str) -> list[str]:
        return asyncio.run(Fitting().retrieve(query))


class _Counting:
    """Knows whether another call goes on."""

    def __init__(self) -> None:
        self.inside = 0

    def retrieve(self, query: str) -> list[str]:
        self.inside += 1
        if self.inside > 1:
            self.meet()
        time.sleep(10 * TAKES_S)
        self.inside -= 1
        return query.split()

    def meet(self) -> None:
        raise NotImplementedError


class Crashing(_Counting):
    def meet(self) -> None:
        ctypes.string_at(0)


class Hanging(_Counting):
    def meet(self) -> None:
        threading.Event().wait()


class Exiting(_Counting):
    def meet(self) -> None:
        self.inside -= 1
        sys.exit("too many")


class Failing(_Counting):
    """Its error tells the query."""

    def retrieve(self, query: str) -> list[str]:
        self.query = query
        return super().retrieve(query)

    def meet(self) -> None:
        self.inside -= 1
        raise LookupError(f"no {self.query}")


class Stamped:
    """No two of its answers are the same."""

    def retrieve(self, query: str) -> list[Any]:
        return [query, time.perf_counter_ns()]


class Fitting:
    async def retrieve(self, query: str) -> list[str]:
        await asyncio.sleep(TAKES_S)
        return query.split()


class Blocking:
    async def retrieve(self, query: str) -> list[str]:
        await asyncio.sleep(0.001)
        return self.lookup(query)

    def lookup(self, query: str) -> list[str]:
        time.sleep(0.02)  # the line that blocks
        return query.split()


class SharedWhileAwaiting:
    async def retrieve(self, query: str) -> list[str]:
        self.query = query
        await asyncio.sleep(TAKES_S)
        return self.query.split()


async def plain_from_async_factory() -> Fine:
    await asyncio.sleep(0)
    return Fine()
