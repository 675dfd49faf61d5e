"""Users who wait for their answers, against services with planted faults; planted sleeps are lower bounds."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from synapse_perf.benchmarks import closed_loop
from synapse_perf.benchmarks.closed_loop import Round, ask_as_users
from synapse_perf.benchmarks.open_loop import Serve, in_executor


def numbered() -> Iterator[tuple[int, Any]]:
    return ((number, f"query {number}") for number in itertools.count())


def asked_by_the_clock(serve: Serve, users: int, *, asking_s: float, patience_s: float = 20.0) -> list[Round]:
    return asyncio.run(
        ask_as_users(serve, numbered(), users, asking_s=asking_s, patience_s=patience_s, keep=lambda answer: answer)
    )


def asked(serve: Serve, users: int, *, asking_s: float = 0.15, patience_s: float = 20.0) -> list[Round]:
    """On a clock of its own, which goes on by a millisecond at each look: users ask as often on a crowded machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closed_loop, "time", SimpleNamespace(perf_counter_ns=itertools.count(0, 1_000_000).__next__))
        return asked_by_the_clock(serve, users, asking_s=asking_s, patience_s=patience_s)


async def shout(text: str) -> str:
    await asyncio.sleep(0.002)
    return text.upper()


@pytest.mark.parametrize("users", [1, 2, 5])
def test_there_are_never_more_queries_under_way_than_users(users: int) -> None:
    under_way, most = 0, 0

    async def serve(text: str) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.002)
        under_way -= 1
        return text

    rounds = asked(serve, users)

    assert most == users
    assert sum(one.number == 0 for one in rounds) == users
    assert len(rounds) > users


def test_each_query_is_asked_once_and_gets_its_own_answer_in_the_order_of_asking() -> None:
    rounds = asked(shout, 3)

    assert [one.request.query for one in rounds] == list(range(len(rounds)))
    assert all(one.request.answer == f"QUERY {one.request.query}" for one in rounds)
    assert all(one.request.intended_ns == one.request.sent_ns < one.request.ended_ns for one in rounds)


def test_a_user_asks_again_only_after_the_answer() -> None:
    (first, *others) = asked(shout, 1)

    before = first.request
    for one in others:
        assert one.request.intended_ns >= before.ended_ns
        before = one.request


def test_behind_one_thread_everybody_waits_for_the_others() -> None:
    def work(text: str) -> str:
        time.sleep(0.01)
        return text

    with ThreadPoolExecutor(1) as one_thread:
        rounds = asked_by_the_clock(in_executor(work, one_thread), 4, asking_s=0.4)

    later = [one.request.latency_s for one in rounds if one.number]
    # Three others are before it; not so where the loop stood still while the thread went on.
    assert statistics.median(later) >= 0.03


def test_a_query_that_fails_is_told_and_its_user_goes_on() -> None:
    async def serve(text: str) -> str:
        if text == "query 0":
            raise LookupError("not this one")
        return await shout(text)

    rounds = asked(serve, 1, asking_s=0.3)

    assert rounds[0].request.error == "LookupError: not this one"
    assert len(rounds) > 1
    assert {one.request.error for one in rounds[1:]} == {""}


def test_a_query_that_is_never_answered_is_given_up_and_not_forgotten() -> None:
    async def serve(text: str) -> str:
        if text == "query 1":
            await asyncio.Event().wait()
        return await shout(text)

    rounds = asked(serve, 2, asking_s=0.0, patience_s=0.3)

    assert [one.request.query for one in rounds if one.request.error == "no answer within 0.3 s"] == [1]
    assert sum(not one.request.error for one in rounds) == len(rounds) - 1


def test_each_user_asks_once_however_short_the_time() -> None:
    assert len(asked(shout, 7, asking_s=0.0)) == 7
