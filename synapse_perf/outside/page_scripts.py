"""How much script does a page load? By what the browser's network events tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

SHOWN = 3
DEVELOPMENT = ("/@vite/client", "/@react-refresh", "webpack-dev-server", "/_next/static/development/")


class ScriptSizes(NamedTuple):
    """Bytes as the browser has to read them, and as they came; the largest with theirs."""

    files: int
    size_bytes: int
    transferred_bytes: int
    largest: str
    is_development: bool


class ScriptWatch:
    """Listens to the `Network` domain."""

    def __init__(self, session: Any) -> None:
        self._urls: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._transferred: dict[str, int] = {}
        session.on("Network.responseReceived", self._received)
        session.on("Network.dataReceived", self._data)
        session.on("Network.loadingFinished", self._finished)

    def _received(self, event: Mapping[str, Any]) -> None:
        if event.get("type") == "Script":
            self._urls[event["requestId"]] = event["response"]["url"]

    def _data(self, event: Mapping[str, Any]) -> None:
        number = event["requestId"]
        self._sizes[number] = self._sizes.get(number, 0) + int(event["dataLength"])

    def _finished(self, event: Mapping[str, Any]) -> None:
        self._transferred[event["requestId"]] = int(event["encodedDataLength"])

    def sizes(self) -> ScriptSizes:
        by_size = sorted(self._urls, key=lambda number: -self._sizes.get(number, 0))
        named = [f"{_file_of(self._urls[number])} {self._sizes.get(number, 0)}" for number in by_size[:SHOWN]]
        return ScriptSizes(
            len(self._urls),
            sum(self._sizes.get(number, 0) for number in self._urls),
            sum(self._transferred.get(number, 0) for number in self._urls),
            ", ".join(named),
            any(sign in url for url in self._urls.values() for sign in DEVELOPMENT),
        )


def _file_of(url: str) -> str:
    return url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1][:60]
