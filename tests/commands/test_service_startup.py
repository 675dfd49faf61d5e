"""service-startup from the command line, on real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from synapse_perf.commands.service_options import ServiceOptions
from synapse_perf.commands.service_request import service_request, with_settings
from synapse_perf.commands.service_run import remove_what_is_left
from synapse_perf.errors import InputError
from synapse_perf.outside import container_owner
from synapse_perf.profiles import ServiceStartupSettings, load_profile
from tests.outside.fake_servers import free_port

APP = """
import http.server, json, sys, time

port, port_delay, health_delay, kind = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
began = time.monotonic()
time.sleep(port_delay)
if kind == "crash":
    print("no database", flush=True)
    sys.exit(3)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.monotonic() - began >= port_delay + health_delay
        body = b"<html></html>" if kind == "html" else json.dumps({"parts": {"db": "up" if ready else "down"}}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
URL = "http://127.0.0.1:1/"
SAMPLE_MODULE = "synapse_perf.outside.sample_service"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def program(tmp_path: Path, port: int) -> Callable[..., tuple[subprocess.CompletedProcess[str], dict[str, Any]]]:
    (tmp_path / "app.py").write_text(APP)

    def run(app: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        output = tmp_path / "r.json"
        command = [sys.executable, "-m", "synapse_perf", "service-startup", "-o", str(output)]
        command += ["--command", f"{sys.executable} {tmp_path / 'app.py'} {port} {app}"]
        command += ["--url", f"http://127.0.0.1:{port}/health", *arguments]
        told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        left = [
            one for one in psutil.process_iter(["cmdline"]) if str(tmp_path / "app.py") in (one.info["cmdline"] or [])
        ]
        assert not left
        return told, json.loads(output.read_text()) if output.exists() else {}

    return run


def test_the_delays_of_a_service_come_back_as_its_phases(program: Any) -> None:
    told, result = program("0.4 0.6 plain", "--trials", "1", "--ready", "parts.db=up")

    assert told.returncode == 0, told.stderr
    judged = [one for one in result["metrics"] if "variant" not in one["labels"]]
    seconds = {one["labels"].get("phase", "total"): one["trials"][0]["samples"][0] for one in judged}
    total_s = seconds.pop("total")
    assert list(seconds) == ["spawn", "first_byte", "ready"]
    assert sum(seconds.values()) == pytest.approx(total_s)
    # Part of the delay is the spawn's where the order to start comes back late.
    assert seconds["spawn"] + seconds["first_byte"] >= 0.4
    assert total_s >= 1.0
    # A plain command does not answer the target of containers.
    assert [(check["target"], check["status"]) for check in result["checks"]] == [("docker-startup", "not-measured")]
    assert "a plain command was started, and no container" in told.stdout
    # Of a Python service one more start tells what it imports.
    (imports,) = [one for one in result["findings"] if one["id"] == "import-time"]
    # The few that took longest: which of those that it needs is up to chance.
    assert {"http", "email", "urllib"} & imports["evidence"]["packages_s"].keys()
    assert "The median start" in told.stdout
    assert "three in a row" in told.stdout


def test_a_crash_ends_the_trial_at_once_with_its_last_words(program: Any) -> None:
    told, result = program("0 0 crash", "--ready-timeout", "1h")

    assert told.returncode == 6
    assert "ended with status 3 before the service was ready" in told.stderr
    assert "it said last: no database" in told.stderr
    assert "no database" in result["failures"][0]["detail"]


def test_a_page_is_no_health_url(program: Any) -> None:
    told, result = program("0 0 html", "--ready-timeout", "1h")

    assert told.returncode == 6
    assert "with an HTML page" in result["failures"][0]["message"]
    assert "Traceback" not in told.stderr + told.stdout


def test_a_port_that_is_taken_is_told_before_anything_is_started(program: Any, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        told, result = program("0 0 plain")

    assert (told.returncode, result) == (2, {})
    assert told.stderr.startswith("error: something already listens")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": URL}, "nothing is named to start"),
        ({"command": "true"}, "no --url tells"),
        ({"command": "true", "image": "x", "url": URL}, "both --command and --image are given"),
        ({"command": "nothing-of-that-name", "url": URL}, "there is no program"),
        ({"command": "true", "url": "ftp://127.0.0.1/"}, "not an address of HTTP"),
        ({"command": "true", "url": "http://127.0.0.1:x/"}, "--url"),
        ({"command": "true", "url": URL, "ready": "x"}, "no PLACE=VALUE"),
        ({"command": "true", "url": URL, "env": ["x"]}, "no NAME=VALUE"),
        ({"command": "true", "url": URL, "publish": ["1:1"]}, "--publish is for --image"),
        ({"command": "true", "url": URL, "cold": True}, "--cold is for --image or --compose"),
        ({"image": "x", "url": URL, "service": "db"}, "--service is for --compose"),
        ({"command": "true", "url": URL, "ready_timeout": "soon"}, "soon"),
        ({"command": "true", "url": URL, "ready_timeout": "0s"}, "no time at all"),
        ({"image": "x", "url": URL, "publish": ["99999:80"]}, "no PORT:PORT"),
        ({"image": "x", "url": URL}, "no port of it is published"),
        ({"image": "x", "url": URL, "publish": ["8000:80", "8001:81"]}, "only 8000, 8001 is published"),
    ],
)
def test_wrong_input_is_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        service_request(ServiceOptions(**options), ServiceStartupSettings())


def test_a_profile_says_what_no_option_does() -> None:
    settings = ServiceStartupSettings(image="app:1", publish=("8000:8000",), url=URL, ready="db=up", ready_timeout="9s")

    assert with_settings(ServiceOptions(), settings) == ServiceOptions(
        image="app:1", publish=["8000:8000"], url=URL, ready="db=up", ready_timeout="9s"
    )
    # Of another thing to start only what tells that it is ready.
    assert with_settings(ServiceOptions(command="serve", ready="ok=true"), settings) == ServiceOptions(
        command="serve", url=URL, ready="ok=true", ready_timeout="9s"
    )


def test_a_profile_is_read_and_its_compose_file_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[service-startup]\ncompose = "compose.yml"\nenv = "A=1"\ncold = true\nurl = "http://h/"\n')

    settings = load_profile(str(path)).service_startup
    assert settings == ServiceStartupSettings(
        compose=str(tmp_path / "compose.yml"), env=("A=1",), cold=True, url="http://h/"
    )
    path.write_text("[service-startup]\nimages = 'x'\n")
    with pytest.raises(InputError, match=r"mine.toml:2: 'images' is not known in \[service-startup\]"):
        load_profile(str(path))


def test_the_built_in_service_is_a_sample_that_meets_no_target(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("[service-startup]\nsample = true\n")
    command = [sys.executable, "-m", "synapse_perf", "service-startup", "--profile", "./p.toml", "-o", "r.json"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path)

    assert told.returncode == 0, told.stderr
    assert "works here (sample, not your system)" in told.stdout
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["subject"] == "sample"
    assert [check["status"] for check in result["checks"]] == ["not-measured"]
    (total,) = [one for one in result["metrics"] if one["name"] == "service_startup_time"]
    assert len(total["trials"]) == 6
    # Its port is another each time, and yet runs can be compared.
    assert "127.0.0.1" not in json.dumps(result["workload"])
    assert not [one for one in psutil.process_iter(["cmdline"]) if SAMPLE_MODULE in (one.info["cmdline"] or [])]


@pytest.mark.parametrize("given", [{"url": URL}, {"ready": "db=up"}])
def test_the_sample_is_for_those_who_name_nothing(given: dict[str, Any]) -> None:
    settings = ServiceStartupSettings(sample=True)

    assert service_request(ServiceOptions(), settings).is_sample
    assert not service_request(ServiceOptions(command="true", url=URL), settings).is_sample
    with pytest.raises(InputError, match="nothing is named to start"):
        service_request(ServiceOptions(**given), settings)


@pytest.mark.parametrize("option", ["--flamegraph=f.svg", "--python=python3"])
def test_what_a_start_cannot_heed_is_refused(option: str) -> None:
    given = ["service-startup", "--command", "true", "--url", URL, option]
    told = subprocess.run([sys.executable, "-m", "synapse_perf", *given], capture_output=True, text=True, check=False)

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"error: {option.partition('=')[0]}: ")


def test_a_dry_run_starts_nothing(program: Any) -> None:
    told, _ = program("0 0 plain", "--dry-run")

    assert told.returncode == 0
    assert "imports timed" in told.stdout


def test_an_engine_that_is_gone_in_the_end_costs_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> int:
        raise requests.exceptions.ConnectionError

    monkeypatch.setattr(container_owner, "remove_run", gone)
    remove_what_is_left(None, "synapse-perf-0-1")

    told = capsys.readouterr().err
    assert told == (
        "warning: the container engine answers no more; "
        "the next service-startup removes what is left of synapse-perf-0-1\n"
    )
