"""profile-load --server starts a server as its users do, judges it as far as it is known, and leaves none behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from synapse_perf.cli import run
from synapse_perf.errors import ExitCode
from synapse_perf.outside.model_server import is_port_taken
from tests.llama.log_fixtures import FOLDER
from tests.llama.small_models import Shape, write_model
from tests.outside.fake_servers import fake_words, free_port


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def result(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded

    def labels(self, name: str) -> list[dict[str, str]]:
        return [metric["labels"] for metric in self.result["metrics"] if metric["name"] == name]


Tell = Callable[..., Told]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def tell(command: list[str], *options: str, kind: str = "json") -> Told:
        arguments = ["profile-load", "--server", " ".join(command), "-r", "1", "--format", kind, *options]
        code = run(arguments)
        captured = capsys.readouterr()
        return Told(code, captured.out, captured.err)

    return tell


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.gguf", Shape())


def test_a_real_server_is_timed_and_its_own_log_read(tell: Tell, model: Path) -> None:
    port = free_port()
    server = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port)]

    told = tell(server, "--cache", "warm")

    (start,) = told.labels("model_startup_time")
    assert (start["model"], start["device"]) == ("tiny", "cpu")
    phases = {labels["phase"] for labels in told.labels("phase_time")}
    assert {"process_to_port.launch", "first_token", "floor"} <= phases
    # Of a tiny model, lines that arrive together leave some of these without a length.
    assert phases & {f"process_to_port.{part}" for part in ("metadata", "vocabulary", "tensors", "context")}
    assert told.result["failures"] == []
    assert told.result["workload"]["models"]["tiny"]["file"] == "tiny.gguf"


def test_each_start_carries_the_certificate_of_its_page_cache(tell: Tell, model: Path) -> None:
    told = tell(fake_words(free_port(), "--model", str(model), "--log", str(FOLDER / "cpu-2026.log")))

    caches = {labels["cache"] for labels in told.labels("model_startup_time")}
    assert "warm" in caches and caches <= {"cold", "warm", "uncertified"}
    for metric in told.result["metrics"]:
        if metric["name"] == "model_startup_time":
            assert metric["trials"][0]["facts"]["cache_how"]


def test_the_file_to_make_cold_may_be_named_beside_the_command(tell: Tell, model: Path) -> None:
    told = tell(fake_words(free_port()), str(model), "--cache", "warm")

    (start,) = told.labels("model_startup_time")
    assert (start["model"], start["cache"]) == ("tiny", "warm")


def test_without_a_file_nothing_is_certified_and_the_remedy_named(tell: Tell) -> None:
    told = tell(fake_words(free_port(), "--log", str(FOLDER / "cpu-2026.log")))

    (start,) = told.labels("model_startup_time")
    assert (start["model"], start["cache"], start["device"]) == ("fake_server", "uncertified", "cpu")
    assert any("names no model file" in warning for warning in told.result["warnings"])
    (check,) = [check for check in told.result["checks"] if check["target"] == "model-startup-cpu"]
    assert (check["status"], check["reason"]) == ("not-measured", "no start could be proven cold")


def test_the_row_that_is_judged_follows_the_device_of_the_log(tell: Tell, model: Path) -> None:
    told = tell(
        fake_words(free_port(), "--model", str(model), "--log", str(FOLDER / "metal-2026.log")), "--cache", "cold"
    )

    (start,) = told.labels("model_startup_time")
    assert start["device"] == "metal"
    observed = {check["target"]: check["observed"] for check in told.result["checks"]}
    assert observed["model-startup-metal"] is not None
    assert observed.get("model-startup-cpu") is None


def test_a_log_that_does_not_tell_the_device_is_told_with_the_flag(tell: Tell, model: Path) -> None:
    told = tell(fake_words(free_port(), "--model", str(model)), "--cache", "warm")

    assert all("-lv 4" in check["reason"] for check in told.result["checks"])
    assert any("-lv 4" in warning for warning in told.result["warnings"])


def test_the_advice_of_the_log_is_told_of_the_model(tell: Tell, model: Path) -> None:
    told = tell(
        fake_words(free_port(), "--model", str(model), "--log", str(FOLDER / "metal-2026.log")), "--cache", "warm"
    )

    findings = {finding["id"]: finding["cause"] for finding in told.result["findings"]}
    assert findings["mlock-not-effective"].startswith("tiny: ")
    assert findings["longest-part"].startswith("tiny, warm: ")


def test_the_log_of_every_start_can_be_kept(tell: Tell, model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.log"

    told_log = ("--log", str(FOLDER / "cpu-2026.log"))
    tell(fake_words(free_port(), "--model", str(model), *told_log), "--cache", "warm", "--log", str(kept))

    assert "load_tensors" in kept.read_text()


def test_keys_stay_out_of_the_result(tell: Tell) -> None:
    told = tell(fake_words(free_port(), "--api-key", "secret-key"))

    assert told.result["failures"] == []  # it was sent
    assert "secret-key" not in told.out


def test_the_report_fits_a_terminal(tell: Tell, model: Path) -> None:
    options = ("--loading", "3", "--model", str(model), "--log", str(FOLDER / "metal-2026.log"))
    told = tell(fake_words(free_port(), *options), "--cache", "warm", kind="console")

    assert "until it is ready" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (("--exit", "3"), "crash", "ended with status 3 before it was ready"),
        (("--loading", "9", "--die-after", "2"), "crash", "ended with status 3 before it was ready"),
        (("--deaf",), "time-out", "not ready after 0.5 s"),
        (("--status", "404"), "error", "answers 404"),
    ],
)
def test_a_faulty_server_is_a_failure_in_words(tell: Tell, options: tuple[str, ...], kind: str, words: str) -> None:
    told = tell(fake_words(free_port(), *options), "--ready-timeout", "500ms" if kind == "time-out" else "1m")

    (failure,) = told.result["failures"]
    assert (failure["kind"], told.code) == (kind, ExitCode.MEASUREMENT_FAILED)
    assert words in failure["message"]
    assert failure["remedy"]


def test_a_taken_port_is_told_before_anything_is_done(tell: Tell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = tell(fake_words(listener.getsockname()[1]))

    assert (told.code, told.out) == (ExitCode.USAGE, "")
    assert "something already listens" in told.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program"], "there is no program"),
        (["/bin/sh", "-m", "/no/such.gguf"], "there is no model file /no/such.gguf"),
        (["/bin/sh", "--port", "x"], "--port x is no port"),
    ],
)
def test_a_wrong_command_is_one_line(tell: Tell, command: list[str], words: str) -> None:
    told = tell(command)

    assert (told.code, told.out) == (ExitCode.USAGE, "")
    assert words in told.err


@pytest.mark.parametrize("options", [("-ngl", "5"), ("--load-mode", "all"), ("--from-log", "x")])
def test_an_option_that_would_do_nothing_is_refused(tell: Tell, options: tuple[str, ...]) -> None:
    assert tell(fake_words(free_port()), *options).code == ExitCode.USAGE


def test_a_url_without_a_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile-load", "--url", "http://127.0.0.1:1/health"]) == ExitCode.USAGE
    assert "without --server there is no server" in capsys.readouterr().err


def test_a_dry_run_starts_nothing(tell: Tell, model: Path) -> None:
    told = tell(fake_words(free_port(), "--model", str(model)), "--dry-run")

    assert told.result["kind"] == "plan"
    assert len(told.result["steps"]) == 4  # cold and warm, each with its plain read


# --- nothing is left -------------------------------------------------------------------------------------------------


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_run_leaves_no_server(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """The server hangs on its first token, with a child of its own; then the run is ended."""
    port = free_port()
    words = fake_words(port, "--token", "hang", "--child", "group")
    command = [sys.executable, "-m", "synapse_perf", "profile-load", "--server", " ".join(words), "-r", "1"]
    state = {"SYNAPSE_PERF_STATE_DIR": str(tmp_path)}
    parent = subprocess.Popen(
        command, env={**os.environ, **state}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    while not is_port_taken(url):
        assert parent.poll() is None
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) >= 3  # the worker, the server, the server's child

    parent.send_signal(number)

    assert parent.wait(60) == code
    _, left = psutil.wait_procs(family, timeout=60)
    assert not any(map(is_running, left))
    assert not is_port_taken(url)
