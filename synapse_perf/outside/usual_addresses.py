"""What answers on this machine at the addresses that services and development servers usually have?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from synapse_perf.outside.health_poller import NotReady, ask

HEALTH_PATHS = ("/health/healthz", "/health", "/healthz", "/api/health")
SERVICE_PORTS = (8000, 8080, 8001, 3000, 9000)
PAGE_PORTS = (5173, 3000, 4173, 8080)
_PATIENCE_S = 1.0


class Running(NamedTuple):
    """An address that answers with 2xx as a health check does, or with a page."""

    health: str | None
    page: str | None


def look_around(service_ports: Iterable[int] = SERVICE_PORTS, page_ports: Iterable[int] = PAGE_PORTS) -> Running:
    """The first health URL and the first page, in the order of ports and paths."""
    health = (f"http://127.0.0.1:{port}{path}" for port in service_ports for path in HEALTH_PATHS)
    pages = (f"http://127.0.0.1:{port}/" for port in page_ports)
    return Running(
        next((url for url in health if _kind(url) == "data"), None),
        next((url for url in pages if _kind(url) == "page"), None),
    )


def _kind(url: str) -> str | None:
    try:
        answer = ask(urlsplit(url), _PATIENCE_S)
    except NotReady:
        return None
    if isinstance(answer, str) or not 200 <= answer.status < 300:
        return None
    is_page = "html" in answer.content_type or answer.body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))
    return "page" if is_page else "data"
