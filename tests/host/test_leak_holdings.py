"""What does a process hold, by name?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from synapse_perf.host.leak_holdings import holdings_of, own_holdings


def test_files_sockets_and_pipes_are_told_apart(tmp_path: Path) -> None:
    before = own_holdings()["descriptors"]
    with (tmp_path / "kept.txt").open("w"), socket.create_server(("127.0.0.1", 0)) as server:
        readable, writable = os.pipe()
        now = own_holdings()
        os.close(readable)
        os.close(writable)
        assert server.fileno() > 0

    assert now["descriptors"][f"file {tmp_path / 'kept.txt'}"] == 1
    assert now["descriptors"]["socket"] == before.get("socket", 0) + 1
    assert now["descriptors"]["pipe"] == before.get("pipe", 0) + 2
    assert now["sockets"]["LISTEN"] >= 1


def test_threads_are_told_by_name_without_numbers_and_by_the_line_they_are_at() -> None:
    stop = threading.Event()

    def works() -> None:
        stop.wait()

    threads = [threading.Thread(target=works, name=f"pool-{number}", daemon=True) for number in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        names = own_holdings()["python_threads"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    (name,) = (name for name in names if name.startswith("pool-N"))
    assert names[name] == 2
    assert name.endswith("(works)")
    assert "test_leak_holdings.py:" in name


def test_children_are_told_by_their_command() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        children = holdings_of(os.getpid())["children"]
    finally:
        child.communicate()

    assert any(name.endswith(" -c input()") for name in children)
