"""A server is timed by what it answers, told apart from one that only listens, and never left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from synapse_perf.outside import model_server, process_tree
from synapse_perf.outside.model_server import ModelServer, ServerFailed, is_port_taken
from tests.outside.fake_servers import fake_words, free_port
from tests.outside.quick_clock import QuickClock

PATIENCE_S = 60.0
Start = Callable[..., ModelServer]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[ModelServer] = []

    def start(*options: str, urls: tuple[str, ...] = ("/health",), api_key: str | None = None) -> ModelServer:
        port = free_port()
        places = [f"http://127.0.0.1:{port}{path}" for path in urls]
        servers.append(ModelServer(fake_words(port, *options), {}, places, api_key))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ready(server: ModelServer) -> dict[str, int]:
    return server.wait_ready(PATIENCE_S, lambda text: None)


def test_a_start_passes_its_stages_in_order(start: Start) -> None:
    server = start("--loading", "3")
    stamps = ready(server)

    token_ns = server.first_token(PATIENCE_S)

    moments = [server.spawned_ns, *(stamps[name] for name in ("port_open", "first_answer", "ready")), token_ns]
    assert moments == sorted(moments)
    assert stamps["first_answer"] < stamps["ready"]  # 503 came first, and was not taken for readiness


def test_without_a_503_the_first_answer_is_the_readiness(start: Start) -> None:
    stamps = ready(start())

    assert stamps["first_answer"] <= stamps["ready"]


def test_the_next_address_is_asked_where_the_first_is_not_there(start: Start) -> None:
    server = start("--health", "/v1/models", "--token", "openai", urls=("/health", "/v1/models"))

    ready(server)

    assert server.urls[0].endswith("/v1/models")
    assert server.first_token(PATIENCE_S) > 0


@pytest.mark.parametrize("status", [404, 401, 307])
def test_what_no_waiting_will_change_fails_at_once(start: Start, status: int) -> None:
    with pytest.raises(ServerFailed, match=f"answers {status}") as error:
        ready(start("--status", str(status)))

    assert "/v1/models" in error.value.remedy


def test_a_server_that_ends_is_told_with_its_status(start: Start) -> None:
    server = start("--exit", "3")

    with pytest.raises(ServerFailed, match="ended with status 3 before it was ready") as error:
        ready(server)

    assert error.value.has_ended


def test_a_server_that_dies_while_it_loads_is_told(start: Start) -> None:
    with pytest.raises(ServerFailed, match="ended with status 3 before it was ready"):
        ready(start("--loading", "9", "--die-after", "2"))


@pytest.mark.parametrize(
    ("options", "patience_s", "how_far"),
    [
        (("--loading", "1000000000"), PATIENCE_S, "still loading"),
        (("--deaf",), 0.2, "port is open, but nothing answers"),
    ],
)
def test_one_that_is_never_ready_is_told_with_how_far_it_came(
    start: Start, options: list[str], patience_s: float, how_far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(*options)
    wait_for_port(server)
    monkeypatch.setattr(model_server, "time", QuickClock(PATIENCE_S / 2))

    with pytest.raises(ServerFailed, match=how_far) as error:
        server.wait_ready(patience_s, lambda text: None)

    assert error.value.is_timeout


def test_a_server_that_nobody_sees_is_told(start: Start) -> None:
    server = start()
    server.urls = [f"http://127.0.0.1:{free_port()}/health"]

    with pytest.raises(ServerFailed, match="nothing listens there"):
        server.wait_ready(0.05, lambda text: None)


def test_a_first_token_that_never_comes_is_a_time_out(start: Start) -> None:
    server = start("--token", "hang")
    ready(server)

    with pytest.raises(ServerFailed, match=r"no first token within 0\.2 s") as error:
        server.first_token(0.2)

    assert error.value.is_timeout


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("die", "ended with status 4 when it was asked for a first token"),
        ("refuse", "/completion answers 500: no slot is free"),
        ("none", "neither /completion nor /v1/completions"),
    ],
)
def test_a_refused_first_token_is_told_in_the_servers_words(start: Start, token: str, words: str) -> None:
    server = start("--token", token)
    ready(server)

    with pytest.raises(ServerFailed, match=words):
        server.first_token(PATIENCE_S)


def test_a_key_is_sent_and_a_missing_one_named(start: Start) -> None:
    with_key, without = start("--api-key", "k", api_key="k"), start("--api-key", "k")
    ready(with_key)
    ready(without)

    assert with_key.first_token(PATIENCE_S) > 0
    with pytest.raises(ServerFailed, match="401") as error:
        without.first_token(PATIENCE_S)
    assert "--api-key" in error.value.remedy


def test_a_server_that_its_command_left_in_the_background_counts(start: Start) -> None:
    server = start("--background")

    assert ready(server)

    server.stop()
    assert not is_port_taken(server.urls[0])


# --- nothing is left -------------------------------------------------------------------------------------------------


def test_a_stopped_server_frees_its_port(start: Start) -> None:
    server = start()
    ready(server)
    assert is_port_taken(server.urls[0])

    server.stop()

    assert server.process.returncode is not None
    assert not is_port_taken(server.urls[0])


@pytest.mark.parametrize("where", ["group", "session"])
def test_a_child_of_the_server_ends_with_it_wherever_it_went(start: Start, where: str) -> None:
    server = start("--child", where)
    ready(server)
    child = child_of(server)

    server.stop()

    assert not is_running(child)


def test_one_that_ignores_the_request_to_end_is_made_to(start: Start) -> None:
    server = start("--stubborn")
    ready(server)

    process_tree.end_tree(server.process, patience_s=0.1)

    assert server.process.returncode == -9


def test_stopping_twice_is_harmless(start: Start) -> None:
    server = start()
    server.stop()
    server.stop()


def child_of(server: ModelServer) -> int:
    while not (told := [text for _, text in server.output.lines() if text.startswith("child ")]):
        time.sleep(0.01)  # it was printed before the port was opened
    return int(told[0].split()[1])


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_port(server: ModelServer) -> None:
    while not is_port_taken(server.urls[0]):
        assert server.process.poll() is None
        os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
