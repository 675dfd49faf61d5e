"""service-startup of images and compose files, on a container engine of the tests' own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.service_options import ServiceOptions
from synapse_perf.commands.service_request import ServiceRequest, service_request
from synapse_perf.commands.service_run import ServiceRun
from synapse_perf.errors import InputError
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial
from synapse_perf.outside.container_owner import LABEL, new_run, sweep
from synapse_perf.profiles import Profile, ServiceStartupSettings
from tests.container_engine import IMAGE, PYTHON_IMAGE, container_engine, lacking
from tests.outside.fake_servers import free_port

Ask = Callable[..., ServiceRequest]
PATIENCE_S = 120.0


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    if lacking():
        pytest.skip(lacking())
    with container_engine() as client:
        yield client


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ask(engine: Any, port: int) -> Iterator[Ask]:
    """What is asked for, of a service on that port; in the end nothing of any run may be left."""
    url = f"http://127.0.0.1:{port}/health.json"

    def asked(*env: str, **options: Any) -> ServiceRequest:
        variables = [*env] if options.get("compose") else [f"PORT={port}", *env]
        of_image = {} if options.get("compose") else {"network": "host", "image": IMAGE}
        given = ServiceOptions(**{"url": url, "env": variables, "ready_timeout": "60s", **of_image, **options})
        return service_request(given, ServiceStartupSettings())

    yield asked
    assert left(engine) == []


def left(engine: Any) -> list[str]:
    return [str(one["Names"]) for one in engine.api.containers(all=True)]


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[ServiceRequest, str], Trial]:
    """One trial of the arm of that name."""

    def carried_out(request: ServiceRequest, name: str) -> Trial:
        (arm,) = [one for one in ServiceRun(Profile("found"), request, CommonOptions()).arms if one.name == name]
        return run_trial(arm.spec, 1, register=Register(tmp_path / "processes"), observe=lambda _: None)

    return carried_out


def values(trial: Trial) -> dict[str, float]:
    """By metric, or by its labels."""
    assert trial.failure is None, trial.failure
    return {" ".join(one.labels.values()) or one.metric: one.value for one in trial.samples[0].values}


def failure_of(trial: Trial) -> tuple[str, str]:
    assert trial.failure is not None
    return trial.failure.message, trial.failure.detail


# --- images ----------------------------------------------------------------------------------------------------------


def test_an_image_is_judged_by_six_starts_and_an_empty_container_is_not(engine: Any, port: int, tmp_path: Path) -> None:
    output = tmp_path / "r.json"
    command = [sys.executable, "-m", "synapse_perf", "service-startup", "--image", IMAGE, "--network", "host"]
    command += ["-e", f"PORT={port}", "--url", f"http://127.0.0.1:{port}/health.json", "--ready", "db=up"]
    command += ["--max-time", "2m", "-o", str(output)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert told.returncode in (0, 1, 3), told.stderr  # by how fast this machine is
    assert "An empty container takes" in told.stdout
    result = json.loads(output.read_text())
    assert [(one["target"], one["metric"]) for one in result["checks"]] == [
        ("docker-startup", "service_startup_time{started=container}")
    ]
    counts = {tuple(one["labels"].values()): one["summary"]["count"] for one in result["metrics"]}
    assert counts[("container",)] >= 6
    assert counts[("container", "an empty container")] == 3
    arms = [arm["arm"] for one in result["metrics"] for arm in one["trials"]]
    assert arms[0] == "an empty container"  # it comes first
    assert left(engine) == []


def test_phases_add_up_and_a_delay_lies_before_the_first_byte(ask: Ask, measured: Any) -> None:
    found = values(measured(ask("DELAY=0.4"), "container"))

    phases = {name: found[name] for name in ("create", "start", "first_byte", "ready")}
    assert sum(phases.values()) == pytest.approx(found["service_startup_time"])
    assert phases["start"] + phases["first_byte"] >= 0.4  # part of it may pass before the order to start returns


def test_cold_starts_are_proven_and_told_apart_from_warm_ones(ask: Ask, measured: Any) -> None:
    request = ask(cold=True)
    cold, warm = (measured(request, f"container, {state}") for state in ("cold", "warm"))

    assert cold.spec.labels["cache"] in ("cold", "uncertified")  # this disk may not prove it
    assert warm.spec.labels["cache"] == "warm"
    assert request.cold is not None
    assert len(request.cold.paths) == 3  # busybox, the script, the answer
    assert "cold_proven" in cold.samples[0].facts


def test_a_container_of_python_is_asked_once_for_its_imports(ask: Ask, measured: Any) -> None:
    imports: Any = measured(ask(image=PYTHON_IMAGE), "imports timed").facts["imports"]

    assert imports["packages"] == {"torch": pytest.approx(0.3)}
    assert imports["start_s"] > 0
    assert ask().times_imports is None


def test_a_container_that_ends_is_told_at_once_with_its_last_words(ask: Ask, measured: Any) -> None:
    request = ask("ENDS=3", "SAYS=no database", ready_timeout="1h")
    message, detail = failure_of(measured(request, "container"))

    assert message == "the container ended with status 3 before the service was ready"
    assert "no database" in detail


def test_a_container_that_cannot_be_started_is_told_in_a_line(ask: Ask, measured: Any) -> None:
    message, _ = failure_of(measured(ask(network="no-such-network"), "container"))

    assert message.startswith("the container cannot be started: ")
    assert "\n" not in message


def test_an_image_that_is_not_here_is_told_before_anything_is_started(ask: Ask) -> None:
    with pytest.raises(InputError, match="there is no image synapse-perf-test/none:1 here") as caught:
        ask(image="synapse-perf-test/none:1")

    assert "docker pull" in caught.value.remedy


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_does_not_run_is_told_in_a_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(InputError, match=f"no container engine answers at {address}: ") as caught:
        service_request(ServiceOptions(image="x", network="host", url="http://127.0.0.1:1/"), ServiceStartupSettings())

    assert len(caught.value.message) < 110
    assert "DOCKER_HOST" in caught.value.remedy


# --- compose files ---------------------------------------------------------------------------------------------------


def compose(tmp_path: Path, port: int, *, more: str = "", health: str = "healthcheck: {test: [CMD, 'true']}") -> str:
    path = tmp_path / "compose.yml"
    path.write_text(f"""
services:
  db: {{image: "{IMAGE}", network_mode: host, command: [sleep, "60"], {health}}}
  app:
    image: {IMAGE}
    network_mode: host
    environment: {{PORT: "{port}", DELAY: "${{DELAY:-0}}", SAYS: "no database", ENDS: "${{ENDS:-}}"}}
    depends_on: {{db: {{condition: service_healthy}}}}
    {more}
""")
    return str(path)


QUICK = "healthcheck: {test: [CMD, 'true'], interval: 500ms}"


def test_a_compose_file_is_started_in_its_order(ask: Ask, measured: Any, tmp_path: Path, port: int) -> None:
    request = ask(compose=compose(tmp_path, port, health=QUICK), service="app")
    trial = measured(request, "compose")
    found = values(trial)

    assert list(found)[:5] == ["service_startup_time", "create", "start", "first_byte", "ready"]
    assert found["db created"] <= found["db started"] <= found["db healthy"]
    # Compose 1 makes a container when its turn has come, compose 2 makes all at first.
    assert found["db healthy"] <= found["app started"] <= found["service_startup_time"]
    assert found["app created"] == pytest.approx(found["create"], abs=0.01)
    assert found["db healthy"] - found["db started"] >= 0.45  # the floor that was told before
    assert request.compose is not None
    noted = ServiceRun(Profile("found"), request, CommonOptions()).noted()
    assert noted["floor"] == {
        "service": "app",
        "start_s": 0.5,
        "path": [{"service": "db", "first_probe_s": 0.5}],
        "edited_s": 0.25,
    }


def test_a_health_check_that_runs_for_much_of_the_time_is_found(
    ask: Ask, measured: Any, tmp_path: Path, port: int
) -> None:
    """A tenth of a second in each quarter of one, of a service beside the one that is judged.

    That is eight checks while the other starts; three are enough, which a crowded engine has time for as well.
    """
    busy = "healthcheck: {test: [CMD, sleep, '0.1'], interval: 250ms}"
    request = ask("DELAY=3", compose=compose(tmp_path, port, health=busy), service="app")
    trial = measured(request, "compose")

    run = ServiceRun(Profile("found"), request, CommonOptions())
    (found,) = [
        one for one in run.findings(metrics_of([trial], run.definitions), [trial]) if one.id == "health-check-often"
    ]
    assert found.evidence["service"] == "db"
    assert found.evidence["interval_s"] == 0.25
    assert found.evidence["least_s"] >= 0.1
    assert found.evidence["checks"] >= 3


def test_a_service_of_a_compose_file_that_ends_is_told_with_its_last_words(
    ask: Ask, measured: Any, tmp_path: Path, port: int
) -> None:
    request = ask("ENDS=3", compose=compose(tmp_path, port, health=QUICK), service="app", ready_timeout="1h")
    message, detail = failure_of(measured(request, "compose"))

    assert message == "app ended with status 3 before the service was ready"
    assert "no database" in detail


def test_a_service_that_is_started_again_and_again_is_told_before_its_time_is_over(
    ask: Ask, measured: Any, tmp_path: Path, port: int
) -> None:
    """A restart policy may be how it waits for another, but not for ever."""
    path = compose(tmp_path, port, more="restart: always", health="healthcheck: {disable: true}")
    Path(path).write_text(Path(path).read_text().replace("service_healthy", "service_started"))
    message, detail = failure_of(measured(ask("ENDS=3", compose=path, ready_timeout="1h"), "compose"))

    ended = re.fullmatch(r"app ended (\d+) times before the service was ready", message)
    assert ended is not None, message
    assert int(ended[1]) >= 5  # at the first look at which it is so often
    assert "no database" in detail


def test_what_compose_cannot_start_is_told_in_its_own_words(ask: Ask, measured: Any, tmp_path: Path, port: int) -> None:
    never = "healthcheck: {test: [CMD, sh, -c, exit 1], interval: 100ms, retries: 1}"
    request = ask(compose=compose(tmp_path, port, health=never), service="app", ready_timeout="1h")
    message, _ = failure_of(measured(request, "compose"))

    assert message.startswith("compose cannot start it: ")
    assert "unhealthy" in message


def test_a_compose_file_that_is_wrong_is_told_in_its_own_words(ask: Ask, tmp_path: Path, port: int) -> None:
    path = compose(tmp_path, port, more="depends_off: [nobody]")
    with pytest.raises(InputError, match=r"compose refuses it: .*depends_off"):
        ask(compose=path)


def test_a_compose_file_that_is_not_there_is_told(ask: Ask) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        ask(compose="/nowhere/compose.yml")


# --- nothing is left -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_run_leaves_nothing(
    engine: Any, port: int, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """A compose file with a volume, whose second service waits for the first for ever."""
    path = compose(tmp_path, port, health="volumes: ['data:/data'], healthcheck: {test: [CMD, 'true'], interval: 1h}")
    with Path(path).open("a") as file:
        file.write("volumes: {data: {}}\n")
    command = [sys.executable, "-m", "synapse_perf", "service-startup", "--compose", path, "--service", "app"]
    command += ["--url", f"http://127.0.0.1:{port}/health.json"]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: any("sleep" in one["Command"] for one in engine.api.containers()), parent)
        parent.send_signal(number)
        _, told = parent.communicate(timeout=PATIENCE_S)
    finally:
        parent.kill()
        parent.wait()

    assert parent.returncode == code, told
    wait_until(lambda: not left(engine) and not engine.api.volumes()["Volumes"])


def wait_until(is_so: Callable[[], bool], living: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline or (living is not None and living.poll() is not None):
            pytest.fail(f"it did not come to be so: {living and living.communicate()}")
        time.sleep(0.05)


def test_what_a_run_left_that_is_gone_is_swept_and_what_a_living_one_has_is_not(engine: Any) -> None:
    mine = new_run()
    parts = mine.split("-")
    gone = "-".join([*parts[:4], str(int(parts[4]) - 100), parts[5]])  # of an earlier process of this number
    elsewhere = mine.replace(parts[2], "00000000")
    for run in (mine, gone, elsewhere):
        engine.api.create_container(IMAGE, ["sleep", "60"], labels={LABEL: run})
    engine.api.create_container(IMAGE, ["sleep", "60"], labels={"com.docker.compose.project": gone})

    try:
        assert sweep(engine) == 2
        kept = {one["Labels"][LABEL] for one in engine.api.containers(all=True)}
        assert kept == {mine, elsewhere}
    finally:
        for one in engine.api.containers(all=True):
            engine.api.remove_container(one["Id"], force=True)
