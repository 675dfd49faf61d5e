"""A user's package with retrievers of every kind, each fit or faulty in its own way; the tests copy it into a venv."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


class Plain:
    def retrieve(self, query: str) -> list[str]:
        return query.split()


class Instances:
    build = Plain


def function() -> Callable[[str], tuple[str, ...]]:
    return lambda query: tuple(query.split())


class Asynchronous:
    """Every call must be on the same loop."""

    def __init__(self) -> None:
        self.loop: object = None

    async def retrieve(self, query: str) -> list[str]:
        await asyncio.sleep(0)
        loop, self.loop = self.loop, asyncio.get_running_loop()
        if loop not in (None, self.loop):
            raise RuntimeError("another loop")
        return query.split()


async def asynchronous_factory() -> Asynchronous:
    retriever = Asynchronous()
    await retriever.retrieve("")
    return retriever


class Promising:
    """A plain function that gives what is to be awaited."""

    def retrieve(self, query: str) -> Any:
        return Asynchronous().retrieve(query)


class NeedsLoop:
    """A plain function that hands the work to the running loop's threads."""

    def retrieve(self, query: str) -> Any:
        return asyncio.get_running_loop().run_in_executor(None, query.split)


class RunsItsOwnLoop:
    def retrieve(self, query: str) -> list[str]:
        return asyncio.run(Asynchronous().retrieve(query))


class Generating:
    def retrieve(self, query: str) -> Iterator[str]:
        time.sleep(0.02)
        yield from query.split()


class GeneratingAsynchronously:
    async def retrieve(self, query: str) -> AsyncIterator[str]:
        for word in query.split():
            yield word


class Mapping:
    def retrieve(self, query: str) -> dict[str, Any]:
        return {"texts": query.split(), "scores": [1.0] * len(query.split()), "query": query}


class Result:
    def __init__(self, query: str) -> None:
        self.artifacts, self.query = query.split(), query


class OwnResult:
    def retrieve(self, query: str) -> Result:
        return Result(query)


class Opaque:
    def retrieve(self, query: str) -> object:
        return object()


class Remembering:
    """Its results are the queries that came before, so that their number is counted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def retrieve(self, query: str) -> list[str]:
        before, self.asked = self.asked, [*self.asked, query]
        return before


class Isolated:
    """Refuses to be built where anything of the tool's environment can be imported."""

    def __init__(self) -> None:
        import importlib.util

        there = [name for name in ("numpy", "faiss", "psutil", "pydantic") if importlib.util.find_spec(name)]
        if there:
            raise RuntimeError(f"{there} can be imported")

    def retrieve(self, query: str) -> list[str]:
        return [sys.prefix]


class Printing:
    def retrieve(self, query: str) -> list[str]:
        sys.stdout.write('{"kind": "done"}\n')
        sys.stdout.flush()
        os.write(1, b"raw\n")
        return []


class SlowToBuild:
    def __init__(self) -> None:
        time.sleep(0.1)

    def retrieve(self, query: str) -> list[str]:
        return []


class Reading:
    """Reads one file with Python, one with C, and one by a mapping at the first query."""

    def __init__(self) -> None:
        self.texts = (FOLDER / "texts.json").read_text()
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(library.fopen(os.fsencode(FOLDER / "vectors.bin"), b"rb"))
        time.sleep(0.05)
        library.fclose(handle)

    def retrieve(self, query: str) -> list[str]:
        with (FOLDER / "index.bin").open("rb") as file:
            self.index = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (FOLDER / "log.txt").open("w").close()
        return [self.texts]


class LeavesThread:
    def __init__(self) -> None:
        threading.Thread(target=time.sleep, args=(3600,)).start()

    def retrieve(self, query: str) -> list[str]:
        return []


class LeavesChild:
    def __init__(self) -> None:
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
        child.start()
        (FOLDER / "child").write_text(str(child.pid))

    def retrieve(self, query: str) -> list[str]:
        return []


# --- faults ----------------------------------------------------------------------------------------------------------

number = 42


def raising() -> None:
    raise ValueError("no such index\nand more of it")


def exiting() -> None:
    sys.exit("not today")


def ending() -> None:
    os._exit(7)


def hanging() -> None:
    time.sleep(3600)


def wanting(path: str) -> None:
    """A factory that cannot be called without a path."""


def giving_none() -> None:
    """A factory that forgot its return."""


def giving_class() -> type:
    return Plain


class FailsAtThird:
    def __init__(self) -> None:
        self.asked = 0

    def retrieve(self, query: str) -> list[str]:
        self.asked += 1
        if self.asked == 3:
            raise LookupError(self.asked)
        return []


class WrongArguments:
    def retrieve(self) -> list[str]:
        return []


class GivesNone:
    def retrieve(self, query: str) -> None:
        return None


class HangsWhileAwaiting:
    async def retrieve(self, query: str) -> list[str]:
        await self.answer()
        return []

    async def answer(self) -> None:
        await asyncio.sleep(3600)


class Crashes:
    def retrieve(self, query: str) -> bytes:
        return ctypes.string_at(0)


class OutOfMemory:
    def retrieve(self, query: str) -> list[str]:
        raise MemoryError
