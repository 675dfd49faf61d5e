"""When a service is ready, asked of real servers on this machine."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synapse_perf.outside.health_poller import Condition, NotReady, Readiness, is_taken, wait_until_ready

Told = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 0.4


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
    ("told", "condition", "words"),
    [
        ((302, {"Location": "/health"}, b""), None, "its last answer was 302 to /health"),
        ((503, JSON, b""), None, "its last answer was 503"),
        ((200, JSON, b'{"db": "down"}'), Condition("db", "up"), "200, and db was not up"),
        ((200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>"), None, "200 with an HTML page"),
    ],
)
def test_what_is_never_ready_is_told(told: Told, condition: Condition | None, words: str) -> None:
    with serving(lambda _: told) as url, pytest.raises(NotReady, match=words) as caught:
        ready(url, condition)

    assert caught.value.is_timeout == ("HTML" not in words)
    assert ("as --url" in caught.value.remedy) == (told[0] == 302)


def test_a_page_counts_where_it_is_what_is_waited_for() -> None:
    with serving(lambda _: (200, {"Content-Type": "text/html"}, b"<html>")) as url:
        assert ready(url, takes_html=True).questions == 3


def test_nobody_there_is_told_and_the_look_for_the_service_goes_on() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    with pytest.raises(NotReady, match="nothing answered there"):
        wait_until_ready("http://127.0.0.1:1/health", 0.1, None, look)
    assert looks > 1


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
