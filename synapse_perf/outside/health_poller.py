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
from urllib.parse import SplitResult, urljoin, urlsplit

POLL_S = 0.005
FINE_UNTIL_S = 2.0  # longer starts are not told to the millisecond,
POLL_SHARE = 0.01  # but to a share of the time so far
CONNECT_S = 0.5  # a host that drops packets would hold each question for as long
IN_A_ROW = 3
_BODY_BYTES = 1 << 20
# Why no answer comes, as people are told it.
CLOSED = "nothing answers there"
SILENT = "its port is open, and nothing answers"
NO_HTTP = "what answers there does not speak HTTP"
_OTHER_NAMES = (62, 64)  # of OpenSSL: the name or the address is another one than the certificate's
_NEEDS_KEY = "give a health URL that asks for no key or name"
_REMEDIES = {
    401: _NEEDS_KEY,
    403: _NEEDS_KEY,
    404: "is the path of its health URL right?",
    405: "is the path of its health URL right?",
}


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
    url: str,
    patience_s: float,
    condition: Condition | None,
    has_ended: Callable[[], None],
    *,
    takes_html: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Readiness:
    """Ask until three answers in a row are good; `has_ended` raises where the service is no more.

    `note` is told what it answers meanwhile, whenever that changes.
    """
    parts = urlsplit(url)
    began_ns = time.perf_counter_ns()
    deadline_ns = began_ns + int(patience_s * 1e9)
    first_byte_ns = ready_ns = questions = in_a_row = 0
    last: Answer | str = CLOSED
    while (now_ns := time.perf_counter_ns()) < deadline_ns:
        has_ended()
        answer = ask(parts, min(max((deadline_ns - now_ns) * 1e-9, 0.001), max(patience_s / 2, CONNECT_S)))
        questions += 1
        if isinstance(answer, Answer):
            first_byte_ns = first_byte_ns or answer.first_byte_ns
        if isinstance(answer, Answer) and _is_good(answer, condition, url, takes_html=takes_html):
            in_a_row += 1
            ready_ns = ready_ns or answer.ended_ns
            if in_a_row == IN_A_ROW:
                return Readiness(first_byte_ns, ready_ns, answer.ended_ns, questions)
        else:
            in_a_row, ready_ns = 0, 0
        if _said(answer) != _said(last):
            note(_said(answer))
        is_cut_short = time.perf_counter_ns() >= deadline_ns
        if isinstance(answer, Answer) or last == CLOSED or (isinstance(last, str) and not is_cut_short):
            last = answer
        so_far_s = (time.perf_counter_ns() - began_ns) * 1e-9
        time.sleep(POLL_S if so_far_s < FINE_UNTIL_S else so_far_s * POLL_SHARE)
    raise _out_of_time(url, patience_s, last, condition)


def ask(url: SplitResult, timeout_s: float) -> Answer | str:
    """One question on a connection of its own; where no answer comes, why. TLS that cannot work raises NotReady."""
    connection = _connection(url)
    is_open = False
    try:
        connection.connect()
        assert connection.sock is not None
        is_open = True
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
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return SILENT  # as a container engine, which opens the port before the service is there
    except ssl.SSLCertVerificationError as error:
        remedy = "give its http:// address, or make its certificate known: SSL_CERT_FILE=its-certificate.pem"
        if error.verify_code in _OTHER_NAMES:
            remedy = "give the URL with the name that its certificate is for"
        raise NotReady(
            f"{url.geturl()}: its certificate is not trusted: {error.verify_message.rstrip('.')}", remedy
        ) from error
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        raise NotReady(f"{url.geturl()}: no secure connection: {reason}", "does it speak http://?") from error
    except OSError:
        return SILENT if is_open or connection.sock is not None else CLOSED  # TLS breaks off with its socket open
    except http.client.HTTPException:
        return NO_HTTP
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
    if _is_page(answer) and not takes_html:
        raise NotReady(
            f"{url} answers {answer.status} with an HTML page, as a web server does at any address",
            "name the health URL of the service itself, or add --html if the page is what you wait for",
        )
    return True


def _is_page(answer: Answer) -> bool:
    return answer.content_type.startswith("text/html")


def _out_of_time(url: str, patience_s: float, last: Answer | str, condition: Condition | None) -> NotReady:
    told, remedy = _said(last), "see the log of the service, or give it longer: --ready-timeout"
    if isinstance(last, str):
        remedy = remedy if last == CLOSED else f"does it speak https://? Else {remedy}"
        return NotReady(f"{url}: not ready after {patience_s:g} s: {told}", remedy, is_timeout=True)
    if 200 <= last.status < 300 and condition is not None and _is_page(last):
        told += f" with an HTML page, which has no {condition.place}"
        remedy = "name the health URL of the service itself: a web server answers with its page at any address"
    elif 200 <= last.status < 300 and condition is not None:
        told += f", and {condition.place} was not {condition.value}"
    elif last.location and urljoin(url, last.location) == url:
        remedy = "it sends to itself for ever: give a health URL that answers"
    elif last.location:
        remedy = "give the address that it sends to as --url, if that is where it tells that it is ready"
    elif last.status in _REMEDIES:
        remedy = _REMEDIES[last.status]
    return NotReady(f"{url}: not ready after {patience_s:g} s: its last answer was {told}", remedy, is_timeout=True)


def _said(answer: Answer | str) -> str:
    """Of an answer its status, and where it sends to."""
    if isinstance(answer, str):
        return answer
    return f"{answer.status}{f' to {answer.location}' if answer.location else ''}"
