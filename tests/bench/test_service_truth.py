"""Do known delays of a service come back within ±10 ms, against the service's own monotonic stamps?

It opens its port after 0.4 s and is healthy 0.6 s later; it writes down when, on the clock of the whole machine.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.host.counters import snapshot
from synapse_perf.outside.health_poller import wait_until_ready
from synapse_perf.outside.started_command import StartedCommand

PORT_S, HEALTH_S, WITHIN_S, STARTS = 0.4, 0.6, 0.010, 6
WAITED_S, ATTEMPTS = 0.05, 40  # of the second that counts the poller itself has waited so little for a processor
APP = """
import json, socket, sys, time

port, place, port_s, health_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
time.sleep(port_s)
server = socket.create_server(("127.0.0.1", port), backlog=64)
open_ns = time.perf_counter_ns()
healthy_ns = open_ns + int(health_s * 1e9)
is_told = False
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        status = b"200 OK" if time.perf_counter_ns() >= healthy_ns else b"503 Not Yet"
        connection.sendall(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 0\\r\\n\\r\\n")
    if not is_told:
        is_told = True
        with open(place, "w") as stamps:
            json.dump([open_ns, healthy_ns], stamps)
"""


class Start(NamedTuple):
    """Seconds by which the first byte and the readiness were seen later than the service has noted them."""

    port_s: float
    health_s: float
    waited_s: float  # by the poller, for a processor


def start(folder: Path) -> Start:
    app, stamps = folder / "app.py", folder / "stamps.json"
    app.write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(app), str(port), str(stamps), str(PORT_S), str(HEALTH_S)]
    service = StartedCommand(words, {})
    try:
        service.start()
        waited_s = snapshot().run_queue_s or 0.0
        ready = wait_until_ready(f"http://127.0.0.1:{port}/health", 60.0, None, service.check)
        waited_s = (snapshot().run_queue_s or 0.0) - waited_s
    finally:
        service.remove()
    open_ns, healthy_ns = json.loads(stamps.read_text())
    return Start((ready.first_byte_ns - open_ns) * 1e-9, (ready.ready_ns - healthy_ns) * 1e-9, waited_s)


def undisturbed(folder: Path) -> list[Start]:
    """As many starts as are asked for, on whatever machine gives them."""
    found: list[Start] = []
    for _ in range(ATTEMPTS):
        one = start(folder)
        assert min(one.port_s, one.health_s) >= 0  # seen before it was so
        if one.waited_s <= WAITED_S:
            found.append(one)
        if len(found) == STARTS:
            break
    return found


def test_known_delays_come_back(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    found = benchmark.pedantic(lambda: undisturbed(tmp_path), rounds=1)

    assert len(found) == STARTS, f"this machine is too busy to tell: {len(found)} of {ATTEMPTS} starts were undisturbed"
    for name, errors_s in (
        ("port delay", [one.port_s for one in found]),
        ("health delay", [one.health_s for one in found]),
    ):
        low, middle, high = (f"{of(errors_s) * 1e3:.1f}" for of in (min, statistics.median, max))
        told = f"{name}: seen {middle} ms ({low} to {high}) after the service noted it, {STARTS} starts"
        sys.stdout.write(f"\n{told}\n")
        assert statistics.median(errors_s) <= WITHIN_S, told
