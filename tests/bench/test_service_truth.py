"""Do known delays of a service come back within ±10 ms, against the service's own monotonic stamps?

It opens its port after 0.4 s and is healthy 0.6 s later; it writes down when, on the clock of the whole machine.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.outside.health_poller import wait_until_ready
from synapse_perf.outside.started_command import StartedCommand

PORT_S, HEALTH_S, WITHIN_S, STARTS = 0.4, 0.6, 0.010, 6
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


def start(folder: Path) -> tuple[float, float]:
    """Seconds by which the first byte and the readiness were seen later than the service has noted them."""
    app, stamps = folder / "app.py", folder / "stamps.json"
    app.write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(app), str(port), str(stamps), str(PORT_S), str(HEALTH_S)]
    service = StartedCommand(words, {})
    try:
        service.start()
        ready = wait_until_ready(f"http://127.0.0.1:{port}/health", 60.0, None, service.check)
    finally:
        service.remove()
    open_ns, healthy_ns = json.loads(stamps.read_text())
    return (ready.first_byte_ns - open_ns) * 1e-9, (ready.ready_ns - healthy_ns) * 1e-9


def test_known_delays_come_back(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    found = benchmark.pedantic(lambda: [start(tmp_path) for _ in range(STARTS)], rounds=1)

    for name, errors_s in zip(("port delay", "health delay"), zip(*found, strict=True), strict=True):
        low, middle, high = (f"{of(errors_s) * 1e3:.1f}" for of in (min, statistics.median, max))
        told = f"{name}: seen {middle} ms ({low} to {high}) after the service noted it, {STARTS} starts"
        sys.stdout.write(f"\n{told}\n")
        assert min(errors_s) >= 0  # not before it was so
        assert statistics.median(errors_s) <= WITHIN_S, told
