"""Which processes belong to a server that was started, wherever they went, and what of it is left after its stop?

On Linux this process adopts the orphans below it, as a service manager does: all that a server starts then stays among
its descendants, also what made itself a daemon, and can be waited for. Elsewhere a variable marks them, which a process
hands down to those that it starts. A process is known by its number and the moment of its start, since numbers are
given again; nothing is ever signalled that is not known so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import psutil

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MARK = "SYNAPSE_PERF_SERVER"
LOOK_S = 0.02
LOOK_AT_ALL_S = 0.25  # where every process of the machine has to be asked
ASKED_S = 1.0  # from the request to end to the order
MADE_S = 5.0  # for what was killed to be gone; only one that hangs in the kernel takes that long

_LISTENING = "0A"  # TCP_LISTEN of net/tcp_states.h
Address = tuple[str, int]


class Left(NamedTuple):
    """What is there after a stop: processes that run, those that nobody waits for, addresses that are listened at."""

    orphans: list[psutil.Process]
    zombies: list[psutil.Process]
    addresses: list[Address]

    @property
    def is_nothing(self) -> bool:
        return not (self.orphans or self.zombies or self.addresses)


class ServerFamily:
    """The processes of one server after the other, each started as a child of this process with `env`."""

    def __init__(self, *, adopts: bool | None = None) -> None:
        self.env = {MARK: secrets.token_hex(16)}
        self._adopts = adopt_orphans() if adopts is None else adopts
        self._others = set(_own_descendants())
        self._known: set[psutil.Process] = set()
        self._leader: subprocess.Popen[bytes] | None = None

    def started(self, leader: subprocess.Popen[bytes]) -> None:
        """A server's first process, which its owner waits for."""
        self._known.clear()
        self._leader = leader

    def look(self) -> list[psutil.Process]:
        """All that are there now, zombies among them; those that this process has to wait for are waited for."""
        self._known.update(self._found())
        self._known = {process for process in self._known if self._is_there(process)}
        return sorted(self._known, key=lambda process: process.pid)

    def left(self, addresses: Iterable[Address] = ()) -> Left:
        """What there is at this moment; `addresses` are those at which it listened."""
        running: list[psutil.Process] = []
        zombies: list[psutil.Process] = []
        for process in self.look():
            (zombies if _is_zombie(process) else running).append(process)
        numbers = {process.pid for process in running}
        # Whoever else is their parent has to wait for them: the system's first process, for orphans of these.
        unwaited = [process for process in zombies if _parent_of(process) in numbers]
        return Left(running, unwaited, still_listened_at(addresses))

    def wait_gone(self, addresses: Iterable[Address], grace_s: float) -> Left:
        """What is left when all has gone, or the grace is over."""
        places = list(addresses)
        deadline = time.monotonic() + grace_s
        while True:
            left = self.left(places)
            if left.is_nothing or time.monotonic() > deadline:
                return left
            time.sleep(LOOK_S if self._adopts else LOOK_AT_ALL_S)

    def end(self, asked_s: float = ASKED_S) -> None:
        """End all of it: ask, then make it; returns when it is gone."""
        for number, patience_s in ((signal.SIGTERM, asked_s), (signal.SIGKILL, MADE_S)):
            deadline = time.monotonic() + patience_s
            asked: set[psutil.Process] = set()
            while running := [process for process in self.look() if not _is_zombie(process)]:
                for process in running:
                    if process not in asked or number == signal.SIGKILL:
                        _signal(process, number)
                        asked.add(process)
                if time.monotonic() > deadline:
                    break
                time.sleep(LOOK_S)
        self.look()  # waits for what was killed last

    def end_at_once(self) -> None:
        """The same without asking, for when there is no time."""
        self.end(asked_s=0.0)

    def _found(self) -> Iterator[psutil.Process]:
        import psutil

        for pid in _own_descendants() if self._adopts else self._marked():
            if pid not in self._others:
                with contextlib.suppress(psutil.Error):
                    yield psutil.Process(pid)

    def _marked(self) -> Iterator[int]:
        """By the variable that they were given, and by the session that they were born in."""
        import psutil

        session = self._leader.pid if self._leader else None
        for process in psutil.process_iter(["environ"]):
            is_marked = (process.info["environ"] or {}).get(MARK) == self.env[MARK]
            if is_marked or (session is not None and _session_of(process.pid) == session):
                yield process.pid

    def _is_there(self, process: psutil.Process) -> bool:
        import psutil

        if self._leader is not None and process.pid == self._leader.pid and self._leader.poll() is not None:
            return False
        try:
            if not process.is_running():
                return False
            if _is_zombie(process) and process.ppid() == os.getpid() and not self._is_leader(process):
                with contextlib.suppress(ChildProcessError):
                    return os.waitpid(process.pid, os.WNOHANG)[0] == 0
                return False
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # it has become another user's
            return True
        return True

    def _is_leader(self, process: psutil.Process) -> bool:
        return self._leader is not None and process.pid == self._leader.pid


def adopt_orphans() -> bool:
    """Whether orphans below this process become its children from now on."""
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0) == 0)


def listened_at(processes: Iterable[psutil.Process]) -> dict[Address, psutil.Process]:
    """The addresses at which these accept connections, with one of those that do."""
    import psutil

    found: dict[Address, psutil.Process] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            for one in process.net_connections("inet"):
                if one.status == psutil.CONN_LISTEN and one.laddr:
                    found.setdefault((one.laddr.ip, one.laddr.port), process)
    return found


def still_listened_at(addresses: Iterable[Address]) -> list[Address]:
    """Those of them at which somebody listens. Linux tells its ports; elsewhere a connection has to be made."""
    ports = _listening_ports()
    return [one for one in addresses if (_answers(one) if ports is None else one[1] in ports)]


def _listening_ports() -> set[int] | None:
    """Without a connection, as each of those waits in a queue which is short where nobody accepts it."""
    tables: list[list[str]] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as lines:  # noqa: PTH123
            tables.append(list(lines))
    if not tables:
        return None
    words = [line.split() for table in tables for line in table[1:]]
    return {int(one[1].rpartition(":")[2], 16) for one in words if one[3] == _LISTENING}


def _answers(address: Address) -> bool:
    """Whether somebody accepts a connection there, who is not this very connection: a port can answer itself."""
    ip, port = address
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ip, ip)  # noqa: S104
    try:
        with socket.create_connection((reachable, port), timeout=1.0) as connection:
            return bool(connection.getsockname() != connection.getpeername())
    except OSError:
        return False


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def command_of(process: psutil.Process) -> list[str]:
    """Its words, or its name where it tells none, as a zombie does."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return process.cmdline() or [process.name()]
    return ["unknown"]


def _own_descendants() -> list[int]:
    from synapse_perf.host.leak_probes import descendants

    return descendants(os.getpid())


def _is_zombie(process: psutil.Process) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def _parent_of(process: psutil.Process) -> int | None:
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(process.ppid())
    return None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        process.send_signal(number)  # psutil knows it by its start too: no other of its number is hit


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None
