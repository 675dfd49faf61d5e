"""How does a service answer users who each ask the next query once the last one is answered?

Users who wait ask less: a service that stalls is asked nothing by those who wait for it. That is what people at a
screen do, and why a closed loop cannot show what a crowd of strangers would have to wait for (`open_loop`).
Standard library only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from synapse_perf.benchmarks.open_loop import Request, Serve

AFTER_FAILURE_S = 0.1  # a user whose query failed does not ask again at once


class Round(NamedTuple):
    """A query of one user; the first of all users come at once, as they never do again."""

    number: int
    request: Request


async def ask_as_users(
    serve: Serve,
    queries: Iterator[tuple[int, Any]],
    users: int,
    *,
    asking_s: float,
    patience_s: float,
    keep: Callable[[Any], Any],
) -> list[Round]:
    """Every query, in the order in which they were asked.

    No user begins another one after `asking_s`; what is unanswered `patience_s` later carries that as its error.
    """
    rounds: list[Round] = []
    until_ns = time.perf_counter_ns() + int(asking_s * 1e9)

    def record(number: int, query: int, asked_ns: int, answer: Any, error: str) -> None:
        ended_ns = time.perf_counter_ns()
        kept = None if error else keep(answer)
        rounds.append(Round(number, Request(query, asked_ns, asked_ns, asked_ns, ended_ns, kept, error)))

    async def use() -> None:
        number = 0
        while not number or time.perf_counter_ns() < until_ns:
            query, content = next(queries)
            asked_ns = time.perf_counter_ns()
            try:
                record(number, query, asked_ns, await serve(content), "")
            except asyncio.CancelledError:
                record(number, query, asked_ns, None, f"no answer within {patience_s:g} s")
                return
            except Exception as raised:
                record(number, query, asked_ns, None, f"{type(raised).__name__}: {raised}")
                await asyncio.sleep(AFTER_FAILURE_S)
            number += 1

    tasks = [asyncio.create_task(use()) for _ in range(users)]
    _, waiting = await asyncio.wait(tasks, timeout=asking_s + patience_s)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(rounds, key=lambda one: one.request.intended_ns)
