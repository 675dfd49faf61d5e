"""A profile for what is found: it can be read, it names what was found, and nothing is written over."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from synapse_perf.cli import run
from synapse_perf.gguf_files.embedded import embedded_models
from synapse_perf.outside import usual_addresses
from synapse_perf.outside.usual_addresses import Running, look_around
from synapse_perf.profiles import load_profile
from tests.engine.made_checkout import COMPOSE, entry, fetched, made_checkout, with_registry, write


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory on a machine where nothing answers, with a home and a cache of its own."""
    monkeypatch.setattr(usual_addresses, "look_around", lambda: Running(None, None))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("LLAMA_CACHE", "OLLAMA_MODELS", "PRAXIS_MODEL_PATH", "PRAXIS_PROFILE", "CORE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(write(tmp_path / "here/empty").parent)
    return tmp_path / "here"


def test_where_nothing_is_found_it_says_so_and_the_profile_measures_samples(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0

    err = capsys.readouterr().err
    for missing in ("a fast model", "an engine checkout", "a compose file", "a health URL", "a page"):
        assert f"not found: {missing}" in err
    profile = load_profile(str(here / "synapse-perf.toml"))
    assert profile.run == ("profile-load", "bench-cgrag", "tier-latency")
    assert profile.models.source == "found"


def test_nothing_is_written_over_unless_it_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "mine.toml", "# mine\n")

    assert run(["init", "-o", "mine.toml"]) == 2
    assert "mine.toml is there already" in capsys.readouterr().err
    assert (here / "mine.toml").read_text() == "# mine\n"
    assert run(["init", "-o", "mine.toml", "--force"]) == 0
    assert "Written by" in (here / "mine.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "mine.json"], "a profile's name ends in .toml"),
        (["-o", "nowhere/mine.toml"], "nowhere"),
        (["--engine", "nowhere"], "no such folder"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_compose_file_gives_the_service_and_its_url(here: Path) -> None:
    write(here / "docker-compose.yml", COMPOSE)

    run(["init"])

    profile = load_profile(str(here / "synapse-perf.toml"))
    assert "service-startup" in profile.run
    assert profile.service_startup.url == "http://localhost:8000/health/healthz"
    assert profile.service_startup.service == "synapse_core"
    assert "# [ws-latency]" in (here / "synapse-perf.toml").read_text()  # what else may be added has its place


def test_a_compose_file_that_is_damaged_is_told_and_the_rest_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "docker-compose.yml", "services: [")

    assert run(["init"]) == 0
    assert "warning: " in (err := capsys.readouterr().err)
    assert "not valid YAML" in err
    assert load_profile(str(here / "synapse-perf.toml")).run


def test_a_page_that_answers_is_measured(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual_addresses, "look_around", lambda: Running(None, "http://127.0.0.1:5173/"))

    run(["init"])

    profile = load_profile(str(here / "synapse-perf.toml"))
    assert (profile.run[-1], profile.ui_fps.url) == ("ui-fps", "http://127.0.0.1:5173/")


def test_an_engine_is_named_and_what_it_has_is_told(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = made_checkout(tmp_path / 'an "engine"')
    write(checkout / "docker-compose.yml", COMPOSE)
    fetched(tmp_path / "hub", "small")
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True))

    assert run(["init", "--engine", str(checkout)]) == 0

    err = capsys.readouterr().err
    assert f"found: engine checkout {checkout}" in err
    assert "found: fast of the engine: s" in err
    assert "not found: a deep model of the engine" in err
    assert "has no index" in err
    profile = load_profile(str(here / "synapse-perf.toml"))
    assert profile.engine == str(checkout)
    assert profile.run[-3:] == ("service-startup", "ws-latency", "ui-fps")


def test_what_it_writes_can_be_run(here: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With the engine's own settings: its model, context and threads."""
    checkout = made_checkout(tmp_path / "engine")
    runtime = '{"ctx_size": 512, "threads": 2, "n_gpu_layers": 0, "no_mmap": false}'
    write(checkout / "backend/data/runtime_settings.json", runtime)
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True))
    place = fetched(tmp_path / "hub", "small")
    place.unlink()
    shutil.copy(embedded_models()["fast"], place)
    run(["init", "--engine", str(checkout)])

    dry = run(["run", "--profile", "./synapse-perf.toml", "--only", "profile-load", "--dry-run"])
    told = capfd.readouterr()
    code = run(["run", "--engine", str(checkout), "--only", "profile-load", "--trials", "1", "-o", "r.json"])

    assert (dry, code) == (0, 0), told.err + capfd.readouterr().err
    assert "Dry run of profile-load (profile synapse-perf)" in told.out
    suite = json.loads((here / "r.json").read_text())
    (result,) = suite["results"]
    assert result["profile"] == "synapse-engine"
    settings = result["workload"]["models"]["fast"]["settings"]
    assert (settings["n_ctx"], settings["n_threads"], settings["n_batch"], settings["n_ubatch"]) == (512, 2, 512, 256)
    assert (settings["load_mode"], settings["flash_attn"], settings["n_gpu_layers"]) == ("mmap", True, 0)


# --- what answers ----------------------------------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """JSON at its health URL, a page everywhere else."""

    def do_GET(self) -> None:
        is_health = self.path == "/health"
        body = b'{"status": "ok"}' if is_health else b"<!doctype html><p>page"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_health else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_page_is_no_health_url_and_a_health_url_no_page(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual_addresses, "_PATIENCE_S", 60.0)  # what answers is asked about, and not how soon

    found = look_around([port], [port])

    assert found == (f"http://127.0.0.1:{port}/health", f"http://127.0.0.1:{port}/")


def test_a_port_where_nobody_listens_is_nothing() -> None:
    assert look_around([1], [1]) == (None, None)


def test_the_program_has_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "synapse_perf", "init", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "--engine" in done.stdout
