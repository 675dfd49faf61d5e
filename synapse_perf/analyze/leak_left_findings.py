"""What ends that a server leaves something behind? A finding for each kind of thing that was left, with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from synapse_perf.analyze.leak_left import first_named, judge_left, left_of, stops_told
from synapse_perf.host.leak_probes import LEFT_MEMORY, LEFT_PORTS, LEFT_ZOMBIES, ORPHANS
from synapse_perf.model import Finding, Gain, Trial

_ALERT = "namedprocess_namegroup_num_procs of the servers' group above how many should run (process-exporter)"
_CHECK = "synapse-perf leak-hunt servers, with the same --server"
_CAUSES: Mapping[str, tuple[str, str]] = {
    ORPHANS: ("server-leaves-processes", "servers: a stop leaves processes running"),
    LEFT_ZOMBIES: ("server-leaves-zombies", "servers: a stop leaves zombies"),
    LEFT_PORTS: ("server-leaves-ports", "servers: a stop leaves a port open, which the next server cannot have"),
}
_CHANGES: Mapping[str, str] = {
    ORPHANS: "start it in a group of its own, end the whole group and wait for it, by force if it does not heed:\n"
    "server = subprocess.Popen(command, start_new_session=True)\n"
    "try:\n    ...\nfinally:\n    os.killpg(server.pid, signal.SIGTERM)\n"
    "    try:\n        server.wait(timeout=10)\n"
    "    except subprocess.TimeoutExpired:\n        os.killpg(server.pid, signal.SIGKILL)\n        server.wait()\n"
    "# what leaves the group has to be ended by the server itself, or by a supervisor such as systemd",
    LEFT_ZOMBIES: "what starts the server has to wait for it, or to become it: in a script\nexec llama-server ...",
    LEFT_PORTS: "do not hand the listening socket down: in Python os.set_inheritable(socket.fileno(), False), which is "
    "the default, and close_fds=True; in C SOCK_CLOEXEC; and end what holds it together with the server",
}


def left_findings(trial: Trial) -> Iterator[Finding]:
    """Of one look at servers."""
    for probe, (name, cause) in _CAUSES.items():
        found = left_of(trial, probe)
        if not any(found):
            continue
        memory = judge_left(trial, LEFT_MEMORY).slope
        kept = memory is not None and memory.middle > 0 and probe == ORPHANS
        yield Finding(
            id=name,
            severity="high",
            cause=f"{cause}: {stops_told(trial, probe)}",
            evidence={
                "stops": len(found),
                "stops_that_left_some": sum(value > 0 for value in found),
                "first": first_named(trial, probe),
            },
            gain=Gain(memory.middle, memory.low, memory.high, "B", measured=False) if kept and memory else None,
            change=_CHANGES[probe],
            check=_CHECK,
            alert=_ALERT,
        )
