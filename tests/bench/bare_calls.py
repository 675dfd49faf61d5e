"""A bare loop over a function: ``bare_calls.py FOLDER module:function CALLS [SIZE]`` prints the seconds it took."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
import time

folder, reference, calls, *given = sys.argv[1:]
sys.path.insert(0, folder)
module, _, name = reference.partition(":")
function = getattr(importlib.import_module(module), name)
arguments = [int(one) for one in given]


def call_all() -> None:
    for _ in range(int(calls)):
        function(*arguments)


async def await_all() -> None:
    for _ in range(int(calls)):
        await function(*arguments)


started_s = time.perf_counter()
if inspect.iscoroutinefunction(function):
    asyncio.new_event_loop().run_until_complete(await_all())
else:
    call_all()
sys.stdout.write(f"{time.perf_counter() - started_s}\n")
sys.stdout.flush()
os._exit(0)  # what the function left behind is not waited for
