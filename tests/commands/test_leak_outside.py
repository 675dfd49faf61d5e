"""leak-hunt of what runs already, from the command line: verdict, report, exit code, and wrong input in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from synapse_perf.commands.leak_outside import outside_hunts, read_bodies
from synapse_perf.commands.leak_outside_options import OutsideOptions
from synapse_perf.commands.leak_process_choice import choose_process
from synapse_perf.errors import InputError
from synapse_perf.host.profiler_access import profiler_access
from tests.faults.program import Told, run, started
from tests.outside.leaky_servers import leaky_server


def hunt(*arguments: str | Path, max_time: str = "90s") -> Told:
    return run("leak-hunt", *arguments, "--max-time", max_time)


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text('{"query": "What is in it?",\n "use_context": true}')
    return path


def test_a_leaking_service_is_told_and_goes_on(body: Path, tmp_path: Path) -> None:
    with leaky_server("busy") as running:
        told = hunt("--url", running.url, "--request", body, "--pid", str(running.pid), "-o", tmp_path / "report.json")

        assert running.process.poll() is None
    assert told.code == 1, told.err
    assert told.out.startswith("LEAK: anonymous memory +19")
    assert "never fell back" in told.out
    text = (tmp_path / "report.json").read_text()
    assert "What is in it" not in text
    (finding,) = json.loads(text)["findings"]
    assert (finding["id"], finding["severity"]) == ("growing-memory", "high")
    assert finding["check"].startswith(f"synapse-perf leak-hunt --url {running.url}, with the same --request")
    assert "process_resident_memory_bytes" in finding["alert"]
    assert "from outside no object of a process can be seen" in " ".join(told.out.split())
    assert "Where it was while it grew" in told.out
    if profiler_access().state == "ok":
        assert any("(leaky_server.py:" in name for name in finding["evidence"]["ran_share"])


def test_the_process_of_a_clean_service_is_found_by_its_port(body: Path) -> None:
    with leaky_server() as running:
        told = hunt("--url", running.url, "--request", body)

    assert told.code == 0, told.out
    assert "9 probes clean; a leak of" in told.out
    assert "Seen from outside" in " ".join(told.out.split())


def test_sockets_that_are_left_in_close_wait_are_told_once() -> None:
    with leaky_server("close-wait") as running:
        told = hunt("--ws", running.ws, "--disconnect", "drop")

    assert told.code == 1, told.out
    assert told.out.splitlines()[0] == "LEAK: sockets in CLOSE_WAIT +1.00 per client"
    assert "More of sockets by state: CLOSE_WAIT +" in told.out
    assert "open-sockets" in told.out
    assert "node_tcp_connection_states" in told.out


def test_growth_with_time_is_told_per_hour() -> None:
    with leaky_server("grows") as running:
        told = hunt("--pid", str(running.pid), "--every", "40ms")

    assert told.code == 1, told.out
    assert re.search(r" per hour \(95 % .*, (80|160) readings\)", " ".join(told.out.split()))
    assert "growing-memory" in told.out


def test_an_idle_process_is_clean_and_idle() -> None:
    with leaky_server() as running:
        told = hunt("--pid", str(running.pid), "--every", "50ms")

    assert told.code == 0, told.out
    assert "It was idle" in told.out


def test_a_server_that_ends_is_told_and_what_was_seen_is_kept(body: Path) -> None:
    with leaky_server("ends") as running:
        told = hunt("--url", running.url, "--request", body)

    assert told.code == 6
    assert re.search(rf"process {running.pid} has ended after \d+ iterations", told.errors[-1])
    assert "probes" in told.out


def test_a_first_request_that_is_refused_is_wrong_input() -> None:
    with leaky_server() as running:
        told = hunt("--url", running.url.replace("query", "missing"))

    assert told.code == 2
    assert "the first request: /missing answers 404: Not Found" in told.errors[-1]


def test_a_dry_run_asks_nothing(body: Path) -> None:
    with leaky_server("ends") as running:
        told = hunt("--url", running.url, "--request", body, "--ws", running.ws, "--dry-run")

    assert told.code == 0
    assert "/ws of python, half-open: 23 iterations" in told.out.replace("python3.11", "python")


# --- wrong input -----------------------------------------------------------------------------------------------------


def refusal(**options: object) -> str:
    with pytest.raises(InputError) as caught:
        outside_hunts(OutsideOptions(**options), 60.0)  # type: ignore[arg-type]
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value.message


def test_a_process_that_cannot_be_watched_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert "has ended, and waits for its parent to take note" in refusal(pid=ended.pid)

    assert refusal(pid=ended.pid) == f"--pid {ended.pid}: there is no such process"
    assert refusal(pid=os.getpid()) == f"--pid {os.getpid()}: that is this tool itself"


def test_a_process_of_another_user_is_refused() -> None:
    """Told by a process that may not read it: another user's, where these tests run as root."""
    other = os.getpid() if os.geteuid() == 0 else 1
    become = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534);" if os.geteuid() == 0 else ""
    code = (
        "from synapse_perf.commands.leak_process_choice import choose_process\n"
        "from synapse_perf.errors import InputError\n"
        "import psutil, synapse_perf.host.leak_probes\n"
        f"{become}\n"
        f"try: choose_process({other})\n"
        "except InputError as error: print(error.message, '|', error.remedy)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert f"--pid {other}: " in told
    assert " belongs to root, and what it holds may not be read | run this as root, or as root" in told


def test_the_name_of_a_process_is_told_and_its_start_known() -> None:
    found = choose_process(os.getppid())

    assert (found.pid, found.name) == (os.getppid(), psutil.Process(os.getppid()).name())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"request": Path("r")}, "--request without --url or --ws: there is nobody to send it to"),
        ({"every": "1s"}, "--every is for --pid alone: a service is read after each request"),
        ({"pid": 1, "disconnect": "reset"}, "--disconnect without --ws: nothing is connected"),
        ({"pid": 1, "request_timeout": "1s"}, "--request-timeout without --url or --ws: nothing is sent"),
        ({"url": "127.0.0.1:8000"}, "--url 127.0.0.1:8000: it is no http or https address"),
        ({"url": "http://127.0.0.1:port"}, "--url http://127.0.0.1:port: Port could not be cast to integer value"),
        ({"url": "http://a:b@127.0.0.1"}, "--url: names and passwords in an address are not sent"),
        ({"ws": "http://127.0.0.1:8000"}, "--ws http://127.0.0.1:8000: it is no ws or wss address"),
        ({"url": "http://127.0.0.1:1/"}, "--url: nothing answers at 127.0.0.1:1: Connection refused"),
        ({"url": "http://127.0.0.1:1/", "request_timeout": "soon"}, "--request-timeout soon: 'soon' is not a duration"),
    ],
)
def test_wrong_options_are_told_in_one_line(options: dict[str, object], message: str) -> None:
    assert refusal(**options).startswith(message)


def test_more_wrong_options_of_what_runs() -> None:
    with leaky_server() as running:
        assert refusal(ws=running.ws, disconnect="burn") == "--disconnect burn: 'burn' is not known"
        assert "--every 30s: 23 readings are needed" in refusal(pid=running.pid, every="30s")
        assert "--every 0s: it has to be more than nothing" in refusal(pid=running.pid, every="0s")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"b": }\n', "line 2 is no JSON"),
        (b"query: what", "line 1 is no JSON"),
        (b'{"a":\n 1,\n}', "line 1 is no JSON"),
        (b"\n", "it is empty"),
        (b'{"a": "\xff"}', "it is not UTF-8 (byte 7)"),
    ],
)
def test_a_bad_line_of_requests_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"--request .*requests.jsonl: ") as caught:
        read_bodies(path)
    assert message in caught.value.message


def test_requests_are_one_json_value_or_lines(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    path.write_text('\ufeff{"a":\n 1}\n')
    assert read_bodies(path) == ['{"a": 1}']
    path.write_text('{"a": 1}\r\n\n"two"\n')
    assert read_bodies(path) == ['{"a": 1}', '"two"']
    with pytest.raises(InputError, match="it is a directory"):
        read_bodies(tmp_path)
    with pytest.raises(InputError, match="it cannot be read: No such file"):
        read_bodies(tmp_path / "none")


def test_an_interrupt_keeps_what_was_seen_and_leaves_the_process_alone() -> None:
    import signal

    with leaky_server() as running, started("leak-hunt", "--pid", str(running.pid), "--every", "1s") as command:
        command.wait_for(lambda: psutil.Process(command.process.pid).children(recursive=True))
        command.send(signal.SIGINT)
        told = command.end()

        assert running.process.poll() is None
    assert told.code == 130
