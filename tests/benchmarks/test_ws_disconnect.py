"""Is each client that a server keeps counted, and none of a server that lets go?"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from synapse_perf.analyze.ws_disconnects import leak_findings, leaks_of, unseen
from synapse_perf.host.process_tree_probes import process_at
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from tests.outside.websocket_servers import websocket_server

CLIENTS, ROUNDS = 10, 2


def left_by(tmp_path: Path, url: str, pid: int, clients: int = CLIENTS, grace_s: float = 10.0) -> Trial:
    workload = {
        "url": url,
        "process": {"pid": pid, "started_s": psutil.Process(pid).create_time()},
        "clients": clients,
        "rounds": ROUNDS,
        "grace_s": grace_s,
        "timeout_s": 5.0,
    }
    spec = TrialSpec("ws_disconnect", "clients that leave", {}, workload, samples=3 * ROUNDS, timeout_s=60)
    return run_trial(spec, 1, register=Register(tmp_path), observe=lambda event: None)


def server_of(url: str) -> int:
    pid = process_at(int(url.rstrip("/").rpartition(":")[2]))
    assert pid is not None
    return pid


def counts(trial: Trial) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for sample in trial.samples:
        for one in sample.values:
            found.setdefault((one.labels["disconnect"], one.labels["holds"]), []).append(int(one.value))
    return found


@pytest.mark.parametrize(("every", "kept"), [(1, 10), (10, 1)])
def test_each_client_that_is_kept_is_counted(tmp_path: Path, every: int, kept: int) -> None:
    """Of any ten clients in a row, all or one, each by one descriptor, which is a socket."""
    with websocket_server("leaking", every) as url:
        trial = left_by(tmp_path, url, server_of(url), grace_s=1.0)

    assert trial.failure is None, trial.failure
    assert set(map(tuple, counts(trial).values())) == {(kept, kept)}
    leaks = leaks_of([trial])
    assert {leak.status for leak in leaks} == {"leak"}
    assert {leak.growth for leak in leaks} == {kept / CLIENTS}
    (finding,) = leak_findings(leaks, "server")
    assert f"{2 * kept} sockets left of 20 clients (reset)" in finding.cause


def test_a_server_that_lets_go_is_clean(tmp_path: Path) -> None:
    with websocket_server("echo") as url:
        trial = left_by(tmp_path, url, server_of(url))

    assert set(map(tuple, counts(trial).values())) == {(0, 0)}
    leaks = leaks_of([trial])
    assert {leak.status for leak in leaks} == {"clean"}
    assert leak_findings(leaks, "server") == ()


def test_a_process_that_does_not_hold_the_clients_is_not_judged(tmp_path: Path) -> None:
    with websocket_server("echo") as url, websocket_server("echo") as other:
        trial = left_by(tmp_path, url, server_of(other), clients=2)

    assert unseen([trial])
    assert leaks_of([trial]) == ()


def test_a_server_that_dies_meanwhile_is_told(tmp_path: Path) -> None:
    with websocket_server("closing") as url:
        trial = left_by(tmp_path, url, server_of(url))

    assert trial.failure is not None
    assert "a client that was to leave" in trial.failure.message
