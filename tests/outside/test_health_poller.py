"""When a service is ready, asked of real servers on this machine."""

from __future__ import annotations

import http.server
import itertools
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from synapse_perf.outside import health_poller
from synapse_perf.outside.health_poller import (
    NO_HTTP,
    SILENT,
    Condition,
    NotReady,
    Readiness,
    is_taken,
    wait_until_ready,
)
from tests.outside.quick_clock import QuickClock

Told = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 30.0


@contextmanager
def serving(tell: Callable[[int], Told], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers its n-th question with what `tell` gives for n."""
    count = 0

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal count
            count += 1
            status, headers, body = tell(count)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, address: object) -> None:
            """A client that does not trust the certificate breaks off."""

    with Quiet(("127.0.0.1", 0), Answer) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/health"
        finally:
            server.shutdown()
            thread.join()


def ready(url: str, condition: Condition | None = None, *, takes_html: bool = False) -> Readiness:
    return wait_until_ready(url, PATIENCE_S, condition, lambda: None, takes_html=takes_html)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> QuickClock:
    """For what is never ready: each wait between two questions is a third of the patience."""
    clock = QuickClock(PATIENCE_S / 3)
    monkeypatch.setattr(health_poller, "time", clock)
    return clock


def test_three_good_answers_in_a_row_are_waited_for_and_the_first_of_them_counts() -> None:
    good = {3, 5, 6, 7}
    with serving(lambda count: (200 if count in good else 503, JSON, b"{}")) as url:
        found = ready(url)

    assert found.questions == 7
    assert found.first_byte_ns < found.ready_ns < found.steady_ns


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        (Condition("parts.db", "up"), b'{"parts": {"db": "up"}}'),
        (Condition("parts.1.ok", "true"), b'{"parts": [0, {"ok": true}]}'),
        (Condition("count", "3"), b'{"count": 3}'),
    ],
)
def test_a_condition_on_the_body_is_met(condition: Condition, body: bytes) -> None:
    with serving(lambda count: (200, JSON, body if count > 2 else b"not even JSON")) as url:
        assert ready(url, condition).questions == 5


@pytest.mark.parametrize(
    ("told", "condition", "words", "remedy"),
    [
        ((302, {"Location": "/ready"}, b""), None, "its last answer was 302 to /ready", "as --url"),
        (
            (302, {"Location": "/health"}, b""),
            None,
            "its last answer was 302 to /health",
            "it sends to itself for ever",
        ),
        ((503, JSON, b""), None, "its last answer was 503", "--ready-timeout"),
        ((404, JSON, b""), None, "its last answer was 404", "is the path of its health URL right?"),
        ((200, JSON, b'{"db": "down"}'), Condition("db", "up"), "200, and db was not up", "--ready-timeout"),
        ((200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>"), None, "200 with an HTML page", "--html"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), Condition("db", "up"), "page, which has no db", "itself"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_is_never_ready_is_told(told: Told, condition: Condition | None, words: str, remedy: str) -> None:
    with serving(lambda _: told) as url, pytest.raises(NotReady, match=words) as caught:
        ready(url, condition)

    assert caught.value.is_timeout == ("HTML" not in words)
    assert remedy in caught.value.remedy


def test_a_page_counts_where_it_is_what_is_waited_for() -> None:
    with serving(lambda _: (200, {"Content-Type": "text/html"}, b"<html>")) as url:
        assert ready(url, takes_html=True).questions == 3


@pytest.mark.usefixtures("quick")
def test_nobody_there_is_told_and_the_look_for_the_service_goes_on() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    with pytest.raises(NotReady, match="nothing answers there"):
        wait_until_ready("http://127.0.0.1:1/health", PATIENCE_S, None, look)
    assert looks == 3


def test_a_certificate_that_nobody_knows_is_told_at_once(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with serving(lambda _: (200, JSON, b"{}"), tls) as url, pytest.raises(NotReady, match="certificate is not trusted"):
        ready(url)


def test_a_server_without_tls_is_told_at_once() -> None:
    with serving(lambda _: (200, JSON, b"{}")) as url, pytest.raises(NotReady, match="no secure connection") as caught:
        wait_until_ready(url.replace("http:", "https:"), 60.0, None, lambda: None)

    assert "http://" in caught.value.remedy
    assert not caught.value.is_timeout


def test_a_port_is_taken_while_somebody_listens() -> None:
    with serving(lambda _: (200, JSON, b"{}")) as url:
        assert is_taken(url)
    assert not is_taken(url)


# --- servers that are none yet, or speak something else ---------------------------------------------------------------


@contextmanager
def listening(answer: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """Its address; what it does with its n-th connection is up to `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # it is closed in the end
                for count in itertools.count(1):
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        answer(connection, count)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/health"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_silence_between_good_answers_begins_the_row_anew() -> None:
    def answer(connection: socket.socket, count: int) -> None:
        connection.recv(1000)
        if count != 2:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with listening(answer) as url:
        assert ready(url).questions == 5


@pytest.mark.usefixtures("quick")
def test_a_port_that_is_opened_before_its_service_is_there_is_waited_for_with_tls_as_well() -> None:
    """A container engine takes the connection and drops it again."""

    def answer(connection: socket.socket, _: int) -> None:
        connection.recv(1000)

    with listening(answer) as url, pytest.raises(NotReady, match="its port is open, and nothing answers") as caught:
        ready(url.replace("http:", "https:"))

    assert caught.value.is_timeout


@pytest.mark.usefixtures("quick")
def test_what_speaks_no_http_is_told() -> None:
    with (
        listening(lambda connection, _: connection.sendall(b"-ERR unknown command\r\n")) as url,
        pytest.raises(NotReady, match="what answers there does not speak HTTP") as caught,
    ):
        ready(url)

    assert "https://" in caught.value.remedy


def test_a_last_question_without_the_time_for_an_answer_tells_nothing(
    quick: QuickClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(url: object, timeout_s: float) -> str:
        if quick.passed_s < PATIENCE_S / 2:
            return NO_HTTP
        quick.sleep(timeout_s)
        return SILENT

    monkeypatch.setattr(health_poller, "ask", ask)
    with pytest.raises(NotReady, match=NO_HTTP):
        ready("http://127.0.0.1:1/health")


def test_what_it_answers_meanwhile_is_told_once() -> None:
    told: list[str] = []
    with serving(lambda count: (200 if count > 4 else 503, JSON, b"{}")) as url:
        wait_until_ready(url, PATIENCE_S, None, lambda: None, note=told.append)

    assert told == ["503", "200"]
