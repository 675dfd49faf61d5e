"""A container engine of the tests' own, on a socket of its own, with one image that needs no registry.

Debian's dockerd, without a bridge, so that nothing of this machine's network changes; the image is busybox with a
server that is ready after a while.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

IMAGE, PYTHON_IMAGE = "synapse-perf-test/serve:1", "synapse-perf-test/python:1"
NEEDED = ("dockerd", "busybox", "docker-compose")
PATIENCE_S = 120.0
LINKS = ("sh", "sleep", "httpd", "true", "echo", "cat")
# It waits, serves, and says what a Python interpreter says that times its imports.
SERVE = """#!/bin/sh
echo "$SAYS"
if [ -n "$PYTHONPROFILEIMPORTTIME" ]; then
    echo "import time: self [us] | cumulative | imported package"
    echo "import time:    200000 |     200000 |   torch.nn"
    echo "import time:    100000 |     300000 | torch"
fi
sleep "${DELAY:-0}"
[ -z "$ENDS" ] || exit "$ENDS"
exec httpd -f -p "127.0.0.1:$PORT" -h /www
"""
STATIC = {"/bin/serve": SERVE.encode(), "/www/health.json": b'{"db": "up"}\n'}


def lacking() -> str:
    """Why there can be no engine here, if so."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    return "" if os.geteuid() == 0 else "only root starts a container engine"


def root_files() -> bytes:
    """The image's files as a tar."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for path, content in {"/bin/busybox": Path(busybox).read_bytes(), **STATIC}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name in LINKS:
            link = tarfile.TarInfo(f"/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return written.getvalue()


@contextmanager
def container_engine() -> Iterator[Any]:
    """Its client; DOCKER_HOST names it meanwhile."""
    home = Path(tempfile.mkdtemp(prefix="spd"))  # a socket's path may not be long
    address = f"unix://{home / 'docker.sock'}"
    words = [f"--data-root={home / 'root'}", f"--exec-root={home / 'exec'}", f"--pidfile={home / 'pid'}", "-H", address]
    words += ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
    with (home / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        engine = subprocess.Popen(["dockerd", *words], stdout=log, stderr=log)
        client: Any = None
        try:
            client = _connected(engine, address, home / "log")
            patch.setenv("DOCKER_HOST", address)
            for name, more in ((IMAGE, []), (PYTHON_IMAGE, ["ENV PYTHON_VERSION=3.11"])):
                changes = ['CMD ["serve"]', "ENV PATH=/bin", *more]
                client.api.import_image_from_data(root_files(), *name.split(":"), changes=changes)
            yield client
        finally:
            if client is not None:
                client.close()
            engine.terminate()
            engine.wait(PATIENCE_S)
            subprocess.run(["umount", home / "exec/netns/default"], capture_output=True, check=False)  # it leaves that
            shutil.rmtree(home, ignore_errors=True)


def _connected(engine: subprocess.Popen[bytes], address: str, log: Path) -> Any:
    """The library leaves sockets open where nobody answers, so the first question is a plain one."""
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(address.removeprefix("unix://")):
        if engine.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the container engine does not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)
    return docker.DockerClient(base_url=address)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            asked.connect(path)
            asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asked.recv(64)
        except OSError:
            return False
