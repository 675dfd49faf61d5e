"""Does a model server leave anything behind when it is stopped: processes, zombies, open ports, memory?

Each iteration starts the next server as programs do, as a child process; waits until it is ready, asks for one token
and stops it in the next of the ways that were asked for: SIGTERM, SIGKILL, or SIGTERM once the process that started it
has been killed. What is there after its grace is counted, named and then ended, so that every stop is a new trial. What
this process itself holds is watched as in every hunt.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_loop import set_aside, watch
from synapse_perf.samples import Fact, Sample

if TYPE_CHECKING:
    import psutil

    from synapse_perf.outside.model_server import ModelServer, ServerFailed
    from synapse_perf.outside.server_family import Address, Left

FIRST_IMPORT = None
TERM, KILL, PARENT = "SIGTERM", "SIGKILL", "SIGTERM without its parent"
PORT = "{port}"  # in a command: a free port, another for each start
LEAST_READY_S = 1.0
OF_CHILDREN = ("children", "zombies", "orphaned_children")  # probes of this process
TOLD_AT_ONCE = 3
COMMAND_LENGTH = 100
# Starts the server as its child, waits for it, and ends as it does; it is there to be killed.
STARTER = "import subprocess, sys; sys.exit(subprocess.Popen(sys.argv[1:]).wait())"
LAUNCH_STARTER = (sys.executable, "-I", "-S", "-c", STARTER)


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each server that was started and stopped."""
    from synapse_perf.host.leak_probes import Probes, own_probes

    own = own_probes()
    servers = _Servers(context)
    set_aside(context)
    # Whatever a server leaves is ended before the levels are read: its own probes count it.
    kept = tuple(probe for probe in own.probes if probe.name not in OF_CHILDREN)
    try:
        yield from watch(context, Probes((*kept, *servers.probes()), own.untold), servers.switch)
    finally:
        servers.family.end()


class _Servers:
    """Starts and stops them one after the other, and keeps count of what they left."""

    def __init__(self, context: Context) -> None:
        from synapse_perf.host.gpu_memory import gpu_memory
        from synapse_perf.outside.server_family import ServerFamily

        self.context = context
        self.workload: Mapping[str, Any] = context.workload
        self.stops: list[str] = self.workload["stops"]
        self.commands: list[dict[str, Any]] = self.workload["commands"]
        self.grace_s: float = self.workload["grace_s"]  # for what a stopped server still has to do
        self.family = ServerFamily()
        self.started_ns = time.perf_counter_ns()
        self.read_gpu, _ = gpu_memory()
        self._orphans = self._zombies = self._ports = 0
        self._memory_bytes = self._gpu_bytes = 0.0
        self._outlives_parent = False
        self._asked: list[psutil.Process] = []  # to end, by SIGTERM, at this stop
        context.at_end(self.family.end_at_once)
        _restore(self.workload["environment"])

    def probes(self) -> Iterator[Any]:
        """What all servers so far have left, as if it had not been ended."""
        from synapse_perf.host import leak_probes as known

        yield known.Probe(known.ORPHANS, known.COUNT, lambda: float(self._orphans))
        yield known.Probe(known.LEFT_ZOMBIES, known.COUNT, lambda: float(self._zombies))
        yield known.Probe(known.LEFT_PORTS, known.COUNT, lambda: float(self._ports))
        yield known.Probe(known.LEFT_MEMORY, known.BYTES, lambda: self._memory_bytes)
        if self.read_gpu is not None:
            yield known.Probe(known.LEFT_GPU_MEMORY, known.BYTES, lambda: self._gpu_bytes)

    def switch(self, number: int) -> dict[str, Fact]:
        """One server from its start to what is left of it."""
        from synapse_perf.outside.server_family import listened_at

        turn = number - 1
        how = self.stops[turn % len(self.stops)]
        # One place further on in each round, so that each server meets each way to stop.
        command = self.commands[(turn + turn // len(self.stops)) % len(self.commands)]
        self.context.stage(f"server {number}: starting {command['name']}")
        begun_ns = time.perf_counter_ns()
        server = self._start(command, how)
        try:
            facts: dict[str, Fact] = {"stop": how, "ready_s": (time.perf_counter_ns() - begun_ns) * 1e-9}
            members = self.family.look()
            for member in members:
                self.context.process_started(member.pid)
            addresses = listened_at(members)
            self.context.stage(f"server {number}: stopping it ({how})")
            left = self._stop(server, how, addresses, facts)
            self._count(left, facts)
        finally:
            self.family.end()
            server.process.wait()
            server.output.wait(1.0)
        for member in members:
            self.context.process_ended(member.pid)
        return facts

    # --- start -------------------------------------------------------------------------------------------------------

    def _start(self, command: Mapping[str, Any], how: str) -> ModelServer:
        """A server that is ready, and has given a token if it can."""
        from synapse_perf.outside.model_server import ModelServer, ServerFailed, is_port_taken

        words, env, urls = _with_port(command)
        if is_port_taken(urls[0]):
            told = f"something already listens at {urls[0]}"
            raise BenchmarkFailed("error", told, "stop it, or give --server another --port")
        given = (*LAUNCH_STARTER, *words) if how == PARENT else words
        try:
            server = ModelServer(given, {**env, **self.family.env}, urls, command["api_key"])
        except OSError as error:
            raise BenchmarkFailed(
                "error", f"cannot start {words[0]}: {error.strerror}", "give its full path"
            ) from error
        self.context.process_started(server.process.pid)
        self.family.started(server.process)
        _lift_limits(server.process.pid)
        try:
            server.wait_ready(self._patience_s(), self.context.stage)
            self._ask(server)
        except ServerFailed as error:
            self.family.end()
            server.process.wait()
            server.output.wait(1.0)
            raise _told(error, server) from error
        return server

    def _ask(self, server: ModelServer) -> None:
        """For one token; a server that has no such route is hunted as well."""
        from synapse_perf.outside.model_server import ServerFailed

        try:
            server.first_token(self._patience_s())
        except ServerFailed as error:
            if error.has_ended or error.is_timeout:
                raise
            self.context.facts["warnings"] = [f"servers were stopped without having given a token: {error}"]

    def _patience_s(self) -> float:
        """As long as a server may take, but no longer than this process has."""
        passed_s = (time.perf_counter_ns() - self.started_ns) * 1e-9
        left_s = float(self.workload["patience_s"]) - passed_s - 2 * self.grace_s
        return max(LEAST_READY_S, min(float(self.workload["ready_timeout_s"]), left_s))

    # --- stop --------------------------------------------------------------------------------------------------------

    def _stop(
        self, server: ModelServer, how: str, addresses: Mapping[Address, psutil.Process], facts: dict[str, Fact]
    ) -> Left:
        import psutil

        begun_ns = time.perf_counter_ns()
        self._asked.clear()
        if how == PARENT:
            self._leave_alone(server, addresses, facts)
        elif how == KILL:
            server.process.kill()
        else:
            self._ask_to_end(psutil.Process(server.process.pid))
        left = self.family.wait_gone(addresses, self.grace_s)
        facts["stop_s"] = (time.perf_counter_ns() - begun_ns) * 1e-9
        return left

    def _leave_alone(
        self, server: ModelServer, addresses: Mapping[Address, psutil.Process], facts: dict[str, Fact]
    ) -> None:
        """Kill what started the server; if it goes on, which is told, ask it to end as who finds it would."""
        import psutil

        try:
            servers = psutil.Process(server.process.pid).children()
        except psutil.Error:
            servers = []
        server.process.kill()
        server.process.wait()
        # Once one of them has been seen to go on for the whole grace, the next are not given it again.
        left = self.family.wait_gone(addresses, 0.0 if self._outlives_parent else self.grace_s)
        self._outlives_parent = bool(left.orphans)
        facts["outlives_parent"] = self._outlives_parent
        facts["outliving_bytes"] = sum(map(_memory_of, left.orphans))
        for process in left.orphans:
            if process in servers:
                self._ask_to_end(process)

    def _ask_to_end(self, process: psutil.Process) -> None:
        process.terminate()
        self._asked.append(process)

    # --- count -------------------------------------------------------------------------------------------------------

    def _count(self, left: Left, facts: dict[str, Fact]) -> None:
        self._orphans += len(left.orphans)
        self._zombies += len(left.zombies)
        self._ports += len(left.addresses)
        self._memory_bytes += sum(map(_memory_of, left.orphans))
        if self.read_gpu is not None:
            self._gpu_bytes += sum(self.read_gpu(process.pid) for process in left.orphans)
        facts.update(_names_of(left, self._asked))


def _restore(environment: Mapping[str, str | None]) -> None:
    """What was set to make this process's memory quiet is not for the servers."""
    for name, value in environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _names_of(left: Left, asked: Sequence[psutil.Process]) -> dict[str, str]:
    """What is left, in words: which process, what it runs; `asked` got SIGTERM."""
    from synapse_perf.host import leak_probes as known

    orphans = [_named(process) + (", which ignores SIGTERM" if process in asked else "") for process in left.orphans]
    zombies = [f"{_named(process)}, whose parent {process.ppid()} does not wait for it" for process in left.zombies]
    ports = [f"port {address[1]}{_held_by(address, left.orphans)}" for address in left.addresses]
    found = {known.ORPHANS: orphans, known.LEFT_ZOMBIES: zombies, known.LEFT_PORTS: ports}
    return {name: "; ".join(texts[:TOLD_AT_ONCE]) for name, texts in found.items() if texts}


def _named(process: psutil.Process) -> str:
    from synapse_perf.host.privacy import redact
    from synapse_perf.outside.server_command import ServerCommand
    from synapse_perf.outside.server_family import command_of

    words = command_of(process)
    text = redact(ServerCommand(tuple(words)).shown())
    if len(text) > COMMAND_LENGTH:  # folders say the least
        text = redact(ServerCommand(tuple(os.path.basename(word) or word for word in words)).shown())  # noqa: PTH119
    return f"pid {process.pid} ({text if len(text) <= COMMAND_LENGTH else text[: COMMAND_LENGTH - 1] + '…'})"


def _held_by(address: Address, processes: Sequence[psutil.Process]) -> str:
    from synapse_perf.outside.server_family import listened_at

    holder = listened_at(processes).get(address)
    return f", held by {_named(holder)}" if holder else ""


def _memory_of(process: psutil.Process) -> float:
    """What no file could give back; where that is not told, all that is resident."""
    import psutil

    from synapse_perf.host.leak_probes import anonymous_bytes

    held = anonymous_bytes(process.pid)
    if held is not None:
        return held
    try:
        return float(process.memory_info().rss)
    except psutil.Error:
        return 0.0


def _with_port(command: Mapping[str, Any]) -> tuple[list[str], dict[str, str], list[str]]:
    """Words, environment and URLs with a free port where the command leaves it open."""
    from synapse_perf.outside.server_family import free_port

    port = str(free_port())
    words = [word.replace(PORT, port) for word in command["words"]]
    env = {name: value.replace(PORT, port) for name, value in command["env"].items()}
    return words, env, [url.replace(PORT, port) for url in command["urls"]]


def _lift_limits(pid: int) -> None:
    """The loop limits this process's memory, not that of a server, which is here to do what it always does."""
    import resource

    if hasattr(resource, "prlimit"):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        try:
            resource.prlimit(pid, resource.RLIMIT_DATA, (hard, hard))
        except (OSError, ValueError):  # it has ended, or is another user's
            return


def _told(error: ServerFailed, server: ModelServer) -> BenchmarkFailed:
    from synapse_perf.benchmarks.server_failure import explained

    failed = explained(error, server)
    failed.failure["remedy"] = failed.failure["remedy"].replace("--url", "--ready-url")
    return failed
