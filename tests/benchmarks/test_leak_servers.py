"""What a server leaves behind is found whatever way it went, named, counted and ended; a good one leaves nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil
import pytest

from synapse_perf.analyze.leak_left import left_of
from synapse_perf.benchmarks.leak_servers import KILL, PARENT, PORT, TERM
from synapse_perf.host.leak_probes import LEFT_MEMORY, LEFT_PORTS, LEFT_ZOMBIES, ORPHANS
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from tests.llama.small_models import Shape, write_model

VARIABLE = "SYNAPSE_PERF_STATE_DIR"
SCRIPT = Path(__file__).with_name("leaky_server.py")
WAYS = (TERM, KILL, PARENT)
TOGETHER = 3
GRACE_S, LONG_GRACE_S = 1.0, 4.0  # with what stays, and with what is to be gone: that waits no longer than it has to


def carry_out(how: str, folder: Path, *stops: str, **more: Any) -> Trial:
    """One start for each way to stop; `folder` is its state, by which its processes are known."""
    command: dict[str, Any] = {
        "name": how,
        "words": [sys.executable, "-I", "-S", str(SCRIPT), how, "--port", PORT],
        "env": {},
        "urls": [f"http://127.0.0.1:{PORT}/health"],
        "api_key": None,
    }
    workload = {
        "commands": [command],
        "stops": list(stops or WAYS),
        "grace_s": GRACE_S,
        "ready_timeout_s": 60.0,
        "budget_s": 240.0,
        "patience_s": 240.0,
        "calls": 1,
        "environment": {},
        "trim": True,
        **more,
    }
    spec = TrialSpec("leak_servers", "look 1", {"hunt": "servers"}, workload, samples=len(stops or WAYS))
    spec = replace(spec, env={VARIABLE: str(folder)})
    register = Register(folder / how / "".join(stops))
    try:
        return run_trial(spec, 1, register=register, observe=lambda event: None)
    finally:
        register.end_all()


class Planted(NamedTuple):
    """A server that ends in one way, and how it is stopped."""

    how: str
    stops: tuple[str, ...] = WAYS
    ready_timeout_s: float = 60.0
    grace_s: float = GRACE_S


Hunted: TypeAlias = Callable[[Planted], Trial]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Planted, Future[Trial]]]:
    """Several at once, as most of each is waiting for what is left; and whatever they plant is gone after them."""
    state = tmp_path_factory.mktemp("state")
    with ThreadPoolExecutor(TOGETHER) as pool:
        yield {
            one: pool.submit(
                carry_out, one.how, state, *one.stops, ready_timeout_s=one.ready_timeout_s, grace_s=one.grace_s
            )
            for one in PLANTED
        }
    assert running(str(state)) == []


@pytest.fixture
def hunt(trials: dict[Planted, Future[Trial]]) -> Hunted:
    return lambda planted: trials[planted].result()


def left(trial: Trial, probe: str) -> list[float]:
    assert trial.failure is None, trial.failure
    return left_of(trial, probe)


def named(trial: Trial, probe: str) -> list[str]:
    return [str(sample.facts[probe]) for sample in trial.samples if probe in sample.facts]


def running(state: str = "") -> list[str]:
    """The commands that run on behalf of these tests, which alone have this folder for their state."""
    own = state or os.environ[VARIABLE]
    found = (one for one in psutil.process_iter(["cmdline", "environ"]) if one.pid != os.getpid())
    return [" ".join(one.info["cmdline"] or ()) for one in found if (one.info["environ"] or {}).get(VARIABLE) == own]


ENDS_WELL = Planted("ends_well", grace_s=LONG_GRACE_S)
ENDS_TOGETHER = Planted("ends_with_its_parent", (PARENT,), grace_s=LONG_GRACE_S)
NO_ROUTES = Planted("has_no_routes", (KILL,), grace_s=LONG_GRACE_S)
DEAF = Planted("ignores_sigterm")
WANDERING = (Planted("leaves_a_child"), Planted("leaves_a_daemon"))
LENDING = Planted("lends_its_port", (KILL,))
CARELESS = Planted("never_waits", (TERM, KILL))
NOT_READY = {
    "ends_at_once": ("crash", r"the server ended with status 3 before it was ready: cannot listen at \d+: no such"),
    "never_listens": ("time-out", r"not ready after 1 s: nothing listens there"),
    "listens_only": ("time-out", r"not ready after 8 s: its port is open, but nothing answers"),
}
READY_S = {"ends_at_once": 60.0, "never_listens": 1.0, "listens_only": 8.0}  # the last has to have listened by then
UNREADY = tuple(Planted(how, (stop,), READY_S[how]) for how in NOT_READY for stop in (TERM, PARENT))
PLANTED = (*UNREADY[::-1], ENDS_WELL, ENDS_TOGETHER, NO_ROUTES, DEAF, *WANDERING, LENDING, CARELESS)


# --- the innocent ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("trials")  # which go on meanwhile
def test_a_real_server_leaves_nothing_however_it_is_stopped(tmp_path: Path) -> None:
    model = write_model(tmp_path / "tiny.gguf", Shape())
    words = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", PORT, "--n_ctx", "256"]
    command: dict[str, Any] = {
        "name": "tiny",
        "words": words,
        "env": {},
        "urls": [f"http://127.0.0.1:{PORT}/v1/models"],
        "api_key": None,
    }
    trial = carry_out("", tmp_path, commands=[command], grace_s=5.0)

    assert running(str(tmp_path)) == []

    assert [left(trial, probe) for probe in (ORPHANS, LEFT_ZOMBIES, LEFT_PORTS, LEFT_MEMORY)] == [[0, 0, 0]] * 4
    assert [sample.facts["stop"] for sample in trial.samples] == list(WAYS)
    assert "warnings" not in trial.facts
    assert float(trial.samples[2].facts["outliving_bytes"] or 0) > 10e6


def test_a_server_that_ends_well_leaves_nothing_and_outlives_its_parent(hunt: Hunted) -> None:
    trial = hunt(ENDS_WELL)

    assert {probe: left(trial, probe) for probe in (ORPHANS, LEFT_ZOMBIES, LEFT_PORTS, LEFT_MEMORY)} == {
        ORPHANS: [0, 0, 0],
        LEFT_ZOMBIES: [0, 0, 0],
        LEFT_PORTS: [0, 0, 0],
        LEFT_MEMORY: [0, 0, 0],
    }
    assert [sample.facts.get("outlives_parent") for sample in trial.samples] == [None, None, True]
    assert float(trial.samples[2].facts["outliving_bytes"] or 0) > 1e6


def test_one_that_ends_with_its_parent_does_not_outlive_it(hunt: Hunted) -> None:
    trial = hunt(ENDS_TOGETHER)

    assert left(trial, ORPHANS) == [0]
    assert trial.samples[0].facts["outlives_parent"] is False


def test_one_that_gives_no_token_is_hunted_as_well(hunt: Hunted) -> None:
    trial = hunt(NO_ROUTES)

    assert left(trial, ORPHANS) == [0]
    assert "neither /completion nor /v1/completions" in trial.facts["warnings"][0]


# --- what is planted -------------------------------------------------------------------------------------------------


def test_one_that_ignores_sigterm_is_named_and_said_to(hunt: Hunted) -> None:
    trial = hunt(DEAF)

    assert (left(trial, ORPHANS), left(trial, LEFT_PORTS)) == ([1, 0, 1], [1, 0, 1])
    assert all(re.fullmatch(r"pid \d+ \(.*leaky_server.py ignores_sigterm .*\), which ignores SIGTERM", text)
               for text in named(trial, ORPHANS))  # fmt: skip
    assert [value > 1e6 for value in left(trial, LEFT_MEMORY)] == [True, False, True]


@pytest.mark.parametrize("planted", WANDERING)
def test_what_it_started_is_found_wherever_it_went(planted: Planted, hunt: Hunted) -> None:
    trial = hunt(planted)

    assert (left(trial, ORPHANS), left(trial, LEFT_PORTS)) == ([1, 1, 1], [0, 0, 0])
    assert all("time.sleep(60)" in text for text in named(trial, ORPHANS))


def test_a_port_that_a_grandchild_keeps_is_told_with_who_keeps_it(hunt: Hunted) -> None:
    trial = hunt(LENDING)

    assert (left(trial, ORPHANS), left(trial, LEFT_PORTS)) == ([2], [1])
    assert re.match(r"port \d+, held by pid \d+ \(", named(trial, LEFT_PORTS)[0])


def test_a_zombie_that_a_wrapper_does_not_wait_for(hunt: Hunted) -> None:
    """Asked to end, the wrapper leaves itself and a zombie; killed, it leaves its server."""
    trial = hunt(CARELESS)

    assert (left(trial, ORPHANS), left(trial, LEFT_ZOMBIES), left(trial, LEFT_PORTS)) == ([1, 1], [1, 0], [0, 1])
    assert "does not wait for it" in named(trial, LEFT_ZOMBIES)[0]


# --- what cannot be started ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planted", UNREADY)
def test_a_server_that_does_not_come_up_is_told_in_one_line(planted: Planted, hunt: Hunted) -> None:
    trial, (kind, message) = hunt(planted), NOT_READY[planted.how]

    assert trial.failure is not None
    assert trial.failure.kind == kind
    assert re.search(message, trial.failure.message)
    assert "\n" not in trial.failure.message
    assert trial.failure.remedy
