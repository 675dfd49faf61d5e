"""A real server for tests: llama-cpp-python's own, with one small model, on a free port of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synapse_perf.outside.chat_client import ChatClient
from synapse_perf.outside.streamed_answer import QueryLost
from tests.outside.fake_servers import free_port


@contextmanager
def llama_server(model: Path) -> Iterator[str]:
    """Its URL, once it lists its model; the server has ended after."""
    url = f"http://127.0.0.1:{free_port()}"
    words = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", url.rpartition(":")[2]]
    server = subprocess.Popen([*words, "--n_ctx", "512"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_up(url):
            assert server.poll() is None
        yield url
    finally:
        server.kill()
        server.wait()


def _is_up(url: str) -> bool:
    client = ChatClient(url, 5)
    try:
        return bool(client.served_models())
    except QueryLost:
        return False
    finally:
        client.close()
