"""Does a server still hold something of WebSocket clients that have left? Counted, so that one of ten is one."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Finding, Leak, Trial, metric_key

BENCHMARK, METRIC = "ws_disconnect", "connections_left"
HELD = ("sockets", "descriptors")
WAYS = {
    "close": "closing handshake",
    "drop": "end without one",
    "reset": "reset",
}


def leaks_of(trials: Sequence[Trial]) -> tuple[Leak, ...]:
    """A row for each way to leave and each thing that is held; none where the clients were not this process's."""
    rows = []
    for way in WAYS:
        rounds = _rounds(trials, way)
        if rounds and all(seen == clients for seen, clients, _ in rounds):
            rows += [_leak(way, held, [(clients, left[held]) for _, clients, left in rounds]) for held in HELD]
    return tuple(rows)


def unseen(trials: Sequence[Trial]) -> bool:
    """Whether clients connected that the watched process did not hold: another one has them."""
    return any(seen < clients for way in WAYS for seen, clients, _ in _rounds(trials, way))


def leak_findings(leaks: Sequence[Leak], process: str) -> tuple[Finding, ...]:
    """One for all ways in which clients are kept."""
    found = [leak for leak in leaks if leak.status == "leak"]
    if not found:
        return ()
    ways = list(dict.fromkeys(_label(leak, "disconnect") for leak in found))
    sockets = [leak for leak in found if _label(leak, "holds") == HELD[0]] or found
    told = "; ".join(f"{leak.reason} ({WAYS[_label(leak, 'disconnect')]})" for leak in sockets)
    evidence = {way: ", ".join(leak.reason for leak in found if _label(leak, "disconnect") == way) for way in ways}
    return (
        Finding(
            "websocket-connections-left",
            "high",
            f"{process} keeps connections of clients that have left: {told}",
            {"process": process, **evidence},
            None,
            "Remove the client in a `finally` around the loop that serves it (async with, try/finally), so that it "
            "also runs when receiving or sending raises; give the server keep-alive pings for clients that fall silent",
            f"synapse-perf ws-latency again: no sockets left after {' and '.join(ways)}; which code holds them: "
            "synapse-perf leak-hunt --ws URL",
            "process_open_fds of the server, or its count of subscribers, that does not fall when clients leave",
        ),
    )


def _rounds(trials: Sequence[Trial], way: str) -> list[tuple[int, int, dict[str, int]]]:
    """Of each round: clients that the process was seen to hold, clients, and what was left of them."""
    found = []
    for trial in trials:
        for sample in trial.samples if trial.spec.benchmark == BENCHMARK else ():
            own = [one for one in sample.values if one.labels["disconnect"] == way]
            if own:
                left = {one.labels["holds"]: int(one.value) for one in own}
                found.append((int(sample.facts["seen"] or 0), int(sample.facts["clients"] or 0), left))
    return found


def _leak(way: str, held: str, rounds: Sequence[tuple[int, int]]) -> Leak:
    clients, left = (sum(one) for one in zip(*rounds, strict=True))
    shares = [kept / count for count, kept in rounds]
    is_leak = all(kept > 0 for _, kept in rounds)
    thing = held if left != 1 else held[:-1]
    reason = f"{left} {thing} left of {clients} clients" if left else f"none of {clients} clients left {held}"
    return Leak(
        metric=metric_key(METRIC, {"disconnect": way, "holds": held}),
        status="leak" if is_leak else "inconclusive" if left else "clean",
        growth=left / clients,
        low=min(shares),
        high=max(shares),
        confidence=1.0,
        unit="1",
        smallest_seen=1 / clients,
        iterations=clients,
        full_after=None,
        reason=reason if is_leak or not left else f"{reason}, in one of {len(rounds)} rounds alone",
    )


def _label(leak: Leak, name: str) -> str:
    return leak.metric.partition(f"{name}=")[2].partition(",")[0].rstrip("}")
