"""When does a service first answer, and when is it ready? Its health URL is asked from outside, again and again.

An open port proves nothing (a container engine opens it before the service is there), and a health check of an engine
tells no sooner than its own interval allows. So each question is a connection and a request of its own, and ready is
the first answer with a status of 2xx whose body meets the condition, if there is one.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

POLL_S = 0.005
FINE_UNTIL_S = 2.0  # longer starts are not told to the millisecond,
POLL_SHARE = 0.01  # but to a share of the time so far
CONNECT_S = 0.5  # a host that drops packets would hold each question for as long
IN_A_ROW = 3
_BODY_BYTES = 1 << 20


class Condition(NamedTuple):
    """A place in a JSON body, its names joined by dots, and the value that has to stand there."""

    place: str
    value: str

    def is_met_by(self, body: bytes) -> bool:
        try:
            found: Any = json.loads(body)
        except ValueError:
            return False
        for name in self.place.split("."):
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                return False
        return found == self.value or json.dumps(found) == self.value


class Answer(NamedTuple):
    """One question answered; both moments in ns."""

    first_byte_ns: int
    ended_ns: int
    status: int
    content_type: str
    location: str
    body: bytes


class Readiness(NamedTuple):
    """Moments in ns on the machine-wide monotonic clock, and how many questions were asked."""

    first_byte_ns: int
    ready_ns: int
    steady_ns: int  # the third good answer in a row
    questions: int


class NotReady(Exception):  # noqa: N818 - says what happened
    """The service was not ready in time, or never can be at that URL."""

    def __init__(self, message: str, remedy: str, *, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.is_timeout = is_timeout


def wait_until_ready(
    url: str, patience_s: float, condition: Condition | None, has_ended: Callable[[], None], *, takes_html: bool = False
) -> Readiness:
    """Ask until three answers in a row are good; `has_ended` raises where the service is no more."""
    parts = urlsplit(url)
    began_ns = time.perf_counter_ns()
    deadline_ns = began_ns + int(patience_s * 1e9)
    first_byte_ns = ready_ns = questions = in_a_row = 0
    last: Answer | None = None
    while (now_ns := time.perf_counter_ns()) < deadline_ns:
        has_ended()
        answer = ask(parts, min(max((deadline_ns - now_ns) * 1e-9, 0.001), max(patience_s / 2, CONNECT_S)))
        questions += 1
        if answer is not None:
            last = answer
            first_byte_ns = first_byte_ns or answer.first_byte_ns
            if _is_good(answer, condition, url, takes_html=takes_html):
                in_a_row += 1
                ready_ns = ready_ns or answer.ended_ns
                if in_a_row == IN_A_ROW:
                    return Readiness(first_byte_ns, ready_ns, answer.ended_ns, questions)
            else:
                in_a_row, ready_ns = 0, 0
        so_far_s = (time.perf_counter_ns() - began_ns) * 1e-9
        time.sleep(POLL_S if so_far_s < FINE_UNTIL_S else so_far_s * POLL_SHARE)
    raise _out_of_time(url, patience_s, last, condition)


def ask(url: SplitResult, timeout_s: float) -> Answer | None:
    """One question on a connection of its own; None where nobody answers yet. TLS that cannot work raises NotReady."""
    connection = _connection(url)
    try:
        connection.connect()
        assert connection.sock is not None
        connection.sock.settimeout(timeout_s)
        connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        response = connection.getresponse()
        first_byte_ns = time.perf_counter_ns()
        body = response.read(_BODY_BYTES)
        return Answer(
            first_byte_ns,
            time.perf_counter_ns(),
            response.status,
            response.getheader("Content-Type", "") or "",
            response.getheader("Location", "") or "",
            body,
        )
    except ssl.SSLCertVerificationError as error:
        remedy = "give its http:// address, or make its certificate known to this machine"
        raise NotReady(f"{url.geturl()}: its certificate is not trusted: {error.verify_message}", remedy) from error
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        raise NotReady(f"{url.geturl()}: no secure connection: {reason}", "does it speak http://?") from error
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def port_of(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def is_taken(url: str) -> bool:
    """Whether somebody listens there already: then its answers would be taken for those of the new service."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", port_of(parts)), timeout=1):
            return True
    except OSError:
        return False


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or "127.0.0.1"
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, port_of(url), timeout=CONNECT_S, context=_tls())
    return http.client.HTTPConnection(host, port_of(url), timeout=CONNECT_S)


@cache
def _tls() -> ssl.SSLContext:
    """Once: reading the certificates of the machine takes longer than a question."""
    return ssl.create_default_context()


def _is_good(answer: Answer, condition: Condition | None, url: str, *, takes_html: bool) -> bool:
    if not 200 <= answer.status < 300:
        return False
    if condition is not None:
        return condition.is_met_by(answer.body)
    if answer.content_type.startswith("text/html") and not takes_html:
        raise NotReady(
            f"{url} answers {answer.status} with an HTML page, as a web server does at any address",
            "name the health URL of the service itself, or add --html if the page is what you wait for",
        )
    return True


def _out_of_time(url: str, patience_s: float, last: Answer | None, condition: Condition | None) -> NotReady:
    told = "nothing answered there"
    if last is not None:
        told = f"its last answer was {last.status}{f' to {last.location}' if last.location else ''}"
        if 200 <= last.status < 300 and condition is not None:
            told += f", and {condition.place} was not {condition.value}"
    remedy = "see the log of the service, or give it longer: --ready-timeout"
    if last is not None and last.location:
        remedy = "give the address that it sends to as --url, if that is where it tells that it is ready"
    return NotReady(f"{url}: not ready after {patience_s:g} s: {told}", remedy, is_timeout=True)
