"""Results of ws-latency as the command makes them, for looking at and for the golden texts; nothing was measured."""

from __future__ import annotations

import random
from collections.abc import Sequence

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets, overall_verdict
from synapse_perf.analyze.ws_disconnects import leak_findings, leaks_of
from synapse_perf.analyze.ws_findings import ws_findings
from synapse_perf.benchmarks.ws_disconnect import METRICS as LEFT
from synapse_perf.benchmarks.ws_latency import METRICS
from synapse_perf.model import Measurement, Result, Sample, Subject, Trial, TrialSpec
from tests.report.examples import ENVIRONMENT

PROCESSES, MESSAGES = 6, 60
LOAD_URL = "http://127.0.0.1:8000/api/metrics/resources"


def latencies(seed: str, slow_share: float, slow_s: float) -> list[float]:
    draw = random.Random(seed)
    drawn = (
        draw.uniform(0.5, 1.0) * slow_s if draw.random() < slow_share else draw.lognormvariate(-6.3, 0.4)
        for _ in range(MESSAGES)
    )
    return [round(seconds, 7) for seconds in drawn]


def process(number: int, connections: int, load: str, slow_share: float, slow_s: float) -> Trial:
    labels = {"mode": "event", "connections": str(connections), **({"load": load} if load else {})}
    seed = f"{number}/{connections}/{load}"
    samples = []
    for place, value in enumerate(latencies(seed, slow_share, slow_s)):
        connects = [
            Measurement("phase_time", round(0.002 + 1.1e-5 * n, 7), {"phase": "connect"}) for n in range(connections)
        ]
        facts = {"lateness_s": 0.0007, "is_lost": False}
        if connections > 1:
            facts |= {"first_s": round(value * 0.6, 7), "middle_s": round(value * 0.8, 7)}
        values = (Measurement("websocket_latency", value), *(connects if place == 0 else ()))
        samples.append(Sample(values, facts))
    for value in latencies(f"ping/{seed}", slow_share, slow_s * 0.9)[:20]:
        ping = Measurement("websocket_latency", round(value * 0.5, 7), {"mode": "ping", "variant": "protocol ping"})
        samples.append(Sample((ping,), {"lateness_s": 0.0007, "is_lost": False}))
    if load == "polled":
        answers = [Measurement("polled_latency", round(0.101 + 0.0004 * place, 7)) for place in range(15)]
        samples.append(Sample(tuple(answers), {"failed": 0, "left": number % 2}))
    spec = TrialSpec("ws_latency", ", ".join(labels.values()), labels, {})
    return Trial(spec, number, tuple(samples), 4.0, {"lateness_s": [0.0007] * MESSAGES})


def leaving(kept: int) -> Trial:
    samples = []
    for way in ("close", "drop", "reset"):
        left = 0.0 if way == "close" else float(kept)
        values = tuple(
            Measurement("connections_left", left, {"disconnect": way, "holds": held})
            for held in ("sockets", "descriptors")
        )
        samples += [Sample(values, {"clients": 10, "seen": 10})] * 2
    return Trial(TrialSpec("ws_disconnect", "clients that leave", {}, {}), 1, tuple(samples), 3.0)


def result(trials: Sequence[Trial], load_url: str | None, subject: Subject = "real") -> Result:
    metrics = metrics_of(trials, {**METRICS, **LEFT})
    checks = check_targets(metrics, TARGETS, confidence=0.95, subject=subject, profile="found")
    checks = tuple(check for check in checks if check.target == "websocket-latency")
    leaks = leaks_of(trials)
    return Result(
        benchmark="ws-latency",
        subject=subject,
        profile="found",
        started_at="2026-11-23T10:15:30.123Z",
        duration_s=61.2,
        workload={
            "url": "ws://127.0.0.1:8000/ws/events?types=performance",
            "mode": "event",
            "rate_per_s": 20.0,
            "messages": MESSAGES,
            "load_url": load_url,
            "load_rate_per_s": 5.0 if load_url else None,
            "disconnects": {"process": "uvicorn", "clients": 10, "rounds": 2}
            if leaks
            else "not counted: its process is on another machine",
            "digest": "9b89",
        },
        plan={"trials": 6, "max_time_s": 600.0, "confidence": 0.95, "seed": 1, "stopped": "nothing is left to decide"},
        environment=ENVIRONMENT,
        metrics=metrics,
        checks=checks,
        comparisons=(),
        warnings=(),
        failures=(),
        verdict=overall_verdict(checks, leaks=leaks),
        findings=(*ws_findings(metrics, checks, load_url), *leak_findings(leaks, "uvicorn")),
        leaks=leaks,
    )


def under_load() -> Result:
    """In time while idle, late while a URL is polled that blocks the event loop; two kept clients of each round."""
    trials = [
        process(number, connections, load, slow_share, 0.1)
        for number in range(1, PROCESSES + 1)
        for connections in (1, 50)
        for load, slow_share in (("idle", 0.0), ("polled", 0.5))
    ]
    return result([*trials, leaving(2)], LOAD_URL)


def passed() -> Result:
    """One case on another machine."""
    return result([process(number, 1, "", 0.0, 0.0) for number in range(1, PROCESSES + 1)], None)


EXAMPLES = {"ws_under_load": under_load, "ws_passed": passed}
