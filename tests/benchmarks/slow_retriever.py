"""A user's retrievers for two-stage queries: one that takes its time, one that cannot answer."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 0.05


def build() -> Callable[[str], list[str]]:
    def retrieve(query: str) -> list[str]:
        time.sleep(SECONDS)
        return [f"Somebody asked: {query}"]

    return retrieve


def broken() -> Callable[[str], list[str]]:
    def retrieve(query: str) -> list[str]:
        raise RuntimeError("the store is closed")

    return retrieve
