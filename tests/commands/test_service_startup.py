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

APP = """
import http.server, json, os, sys, time

port, port_delay, health_delay, kind = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
began = time.monotonic()
time.sleep(port_delay)
if kind == "crash":
    print("no database", flush=True)
    sys.exit(3)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.monotonic() - began >= port_delay + health_delay
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", "/health")
            self.end_headers()
            return
        body = b"<html></html>" if kind == "html" else json.dumps({"parts": {"db": "up" if ready else "down"}}).encode()
        self.send_response(200 if ready or kind == "always" else 503)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


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


def phases(result: dict[str, Any]) -> dict[str, float]:
    return {
        one["labels"]["phase"]: one["trials"][0]["samples"][0] for one in result["metrics"] if "phase" in one["labels"]
    }


def test_the_delays_of_a_service_come_back_as_its_phases(program: Any) -> None:
    told, result = program("0.4 0.6 plain", "--trials", "1")

    assert told.returncode == 0, told.stderr
    assert phases(result)["first_byte"] >= 0.39
    assert phases(result)["ready"] >= 0.5
    total = result["metrics"][0]
    assert total["name"] == "service_startup_time"
    assert total["trials"][0]["samples"][0] == pytest.approx(sum(phases(result).values()))


def test_a_plain_command_does_not_answer_the_target_of_containers(program: Any) -> None:
    _, result = program("0 0 plain", "--trials", "1")

    assert [(check["target"], check["status"]) for check in result["checks"]] == [("docker-startup", "not-measured")]


def test_a_condition_on_the_body_is_waited_for(program: Any) -> None:
    """It answers 200 from the beginning, as services do whose health URL never fails."""
    without, early = program("0 0.7 always", "--trials", "1")
    waited, late = program("0 0.7 always", "--trials", "1", "--ready", "parts.db=up")

    assert without.returncode == waited.returncode == 0
    assert phases(late)["ready"] > 0.5 > phases(early)["ready"]


def test_a_crash_ends_the_trial_at_once_with_its_last_words(program: Any) -> None:
    told, result = program("0 0 crash")

    assert told.returncode == 6
    assert "ended with status 3 before the service was ready" in told.stderr
    assert "no database" in result["failures"][0]["detail"]


@pytest.mark.parametrize(
    ("app", "more", "words"),
    [
        ("0 0 html", (), "with an HTML page"),
        ("0 0 redirect", ("--ready-timeout", "1s"), "its last answer was 302 to /health"),
        ("0 60 plain", ("--ready-timeout", "1s"), "its last answer was 503"),
        ("0 60 always", ("--ready-timeout", "1s", "--ready", "parts.db=up"), "parts.db was not up"),
        ("60 0 plain", ("--ready-timeout", "1s"), "nothing answered there"),
    ],
)
def test_a_service_that_is_never_ready_is_told_why(program: Any, app: str, more: tuple[str, ...], words: str) -> None:
    told, result = program(app, *more)

    assert told.returncode == 6
    assert words in result["failures"][0]["message"]
    assert "Traceback" not in told.stderr + told.stdout


def test_a_page_counts_where_it_is_what_is_waited_for(program: Any) -> None:
    told, _ = program("0 0 html", "--html", "--trials", "1")

    assert told.returncode == 0


def test_a_port_that_is_taken_is_told(program: Any, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        told, _ = program("0 0 plain")

    assert told.returncode == 6
    assert "something already listens" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "http://127.0.0.1:1/"), "nothing is named to start"),
        (("--command", "true"), "no --url tells"),
        (("--command", "true", "--image", "x", "--url", "http://127.0.0.1:1/"), "both a command and an image"),
        (("--command", "nothing-of-that-name", "--url", "http://127.0.0.1:1/"), "there is no program"),
        (("--command", "true", "--url", "ftp://127.0.0.1/"), "not an address of HTTP"),
        (("--command", "true", "--url", "http://127.0.0.1:1/", "--ready", "x"), "no PLACE=VALUE"),
        (("--command", "true", "--url", "http://127.0.0.1:1/", "--publish", "1:1"), "--publish is for a container"),
        (("--image", "x", "--url", "http://127.0.0.1:1/", "--publish", "80"), "no PORT:PORT"),
    ],
)
def test_wrong_input_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "synapse_perf", "service-startup", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.startswith("error: ")
