"""A GPU where there is none: a server of llama.cpp's RPC back end, in a process of the test's own, that lends the CPU.

To llama.cpp its devices are GPUs in every respect that matters here: it chooses, fills and names them as such.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE_S = 30.0
CPU = 0  # GGML_BACKEND_DEVICE_TYPE_CPU


def has_rpc() -> bool:
    """Whether the llama.cpp of these tests was built with GGML_RPC."""
    return hasattr(_library(), "ggml_backend_rpc_start_server")


@contextlib.contextmanager
def running(devices: int = 1) -> Iterator[str]:
    """The endpoint of a server that offers the CPU as so many devices; the process has ended when this is left."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, __file__, str(port), str(devices)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as server:
        try:
            _wait_until_it_listens(server, port)
            yield f"{HOST}:{port}"
        finally:
            server.kill()


def free_port() -> int:
    """A port that nobody listens on, and none of those that the system hands out, to another before it is used."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    """It says nothing when it is ready, so it is asked."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection((HOST, port), timeout=PATIENCE_S).close()
        except ConnectionRefusedError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _library() -> ctypes.CDLL:
    """libllama, through which ggml's symbols are found in the copies that it is linked with."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    return ctypes.CDLL(str(next(path for path in folder.glob("libllama.*") if path.suffix in (".so", ".dylib"))))


def _serve(port: int, devices: int) -> None:
    library = _library()
    library.ggml_backend_dev_by_type.restype = ctypes.c_void_p
    start = library.ggml_backend_rpc_start_server
    start.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    offered = (ctypes.c_void_p * devices)(*[library.ggml_backend_dev_by_type(CPU)] * devices)
    start(f"{HOST}:{port}".encode(), None, 1, devices, ctypes.cast(offered, ctypes.c_void_p))


def _end_with_parent() -> None:
    """A test run that was killed leaves no server behind: its end of stdin closes with it."""
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _serve(int(sys.argv[1]), int(sys.argv[2]))
