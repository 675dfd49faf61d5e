"""What bench-cgrag measures on request: load, caches, recall, candidate indexes; no number here was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from synapse_perf.analyze.tuning import Budget, Capacity, Floors, PlotPoint, Row, Spread, Tuning
from synapse_perf.model import Fact, Metric, Result
from tests.report.examples import MIB
from tests.report.retrieval_examples import KIB, metric, result, spread, warm

SERIAL_PER_S = 80.0
LOADS = (0.25, 0.5, 0.9, 1.1, 2.0)
# latency grows with the load from these on, and what the event loop waits
STRATEGIES = {"on-the-loop": (0.9, 0.021), "to-thread": (1.1, 0.0016), "bounded": (1.1, 0.0014)}
CANDIDATES = (
    ("Flat", "Flat", "", 1.0, 0.0096, 153.6 * MIB, 0.57),
    ("SQ8", "SQ8", "", 0.991, 0.0046, 38.4 * MIB, 0.29),
    ("IVF", "IVF1024,SQ8", "nprobe=8", 0.971, 0.00009, 40.8 * MIB, 41.0),
    ("IVF", "IVF1024,SQ8", "nprobe=16", 0.987, 0.000197, 40.8 * MIB, None),
    ("IVF", "IVF1024,SQ8", "nprobe=4", 0.93, 0.000081, 40.8 * MIB, None),
    ("HNSW", "HNSW32", "efSearch=64", 0.963, 0.000338, 180.8 * MIB, 38.0),
    ("HNSW", "HNSW32", "efSearch=256", 0.991, 0.000882, 180.8 * MIB, None),
    ("RaBitQ", "RaBitQfs,RFlat", "k_factor=10", 0.997, 0.00137, 159 * MIB, 2.6),
    ("current", "current", "", 0.94, 0.0051, 153.6 * MIB, None),
)


def load() -> Iterator[Metric]:
    for strategy, (knee, lag_s) in STRATEGIES.items():
        labels = {"strategy": strategy}
        idle = [[spread(0.00008, i + n) for n in range(50)] for i in range(6)]
        yield metric("event_loop_lag", {**labels, "load": "0"}, idle, arm=f"load {strategy}")
        for level in LOADS:
            yield from step({**labels, "load": f"{level:g}"}, level, knee, lag_s)


def step(labels: dict[str, str], level: float, knee: float, lag_s: float) -> Iterator[Metric]:
    """Beyond its knee a service answers no more, and its latency is that of a queue."""
    is_beyond = level > knee
    answered = min(level, knee) * SERIAL_PER_S
    seconds = 0.013 * (8 if is_beyond else 1 + level)
    latencies = [[spread(seconds, i + n) for n in range(40)] for i in range(6)]
    facts: dict[str, Fact] = {
        "offered_per_s": level * SERIAL_PER_S,
        "requests": 40,
        "differing": 0,
        "errors": 0,
        "backlog_growth": 0.4 if is_beyond else 0.0,
        "lateness_p95_s": 0.0001,
    }
    arm = f"load {labels['strategy']}"
    rates = [[spread(answered, i)] for i in range(6)]
    yield metric("throughput", labels, rates, unit="1/s", better="higher", arm=arm, facts=[facts] * 6)
    for stage, share in (("total", 1.0), ("encoder_wait", 0.2)):
        groups = [[round(one * share, 9) for one in group] for group in latencies]
        yield metric("retrieval_latency", {**labels, "state": "loaded", "stage": stage}, groups, arm=arm)
    lags = [[spread(lag_s * (1 + level), i + n) for n in range(50)] for i in range(6)]
    yield metric("event_loop_lag", labels, lags, arm=arm)


def caches() -> Iterator[Metric]:
    for cache, saved, rate, entry in (("embedding", 0.0081, 0.62, 1.6 * KIB), ("result", 0.0087, 0.63, 31 * KIB)):
        labels = {"cache": cache, "stream": "zipf-1"}
        facts: dict[str, Fact] = {"without_s": 0.0131, "requests": 200, "hits": 124, "differing": 0}
        groups = [[spread(saved, i)] for i in range(6)]
        yield metric("cache_saving", labels, groups, better="higher", arm="caches zipf", facts=[facts] * 6)
        yield metric("cache_hit_rate", labels, [[rate]] * 6, unit="1", better="higher", arm="caches zipf")
        yield metric("cache_entry_size", labels, [[entry]] * 6, unit="B", arm="caches zipf")


def recall(*, changed: int = 7, missing: int = 0) -> Metric:
    """One sample a query, of 200; some contexts are not those of an exact search."""
    shares = [1.0 if n % 10 else 0.96 for n in range(200)]
    found = metric("recall", {"k": "25"}, [shares], unit="1", better="higher", arm="recall")
    facts: dict[str, tuple[Fact, ...]] = {
        "context_changed": tuple(n < changed for n in range(200)),
        "missing": tuple(int(n < missing) for n in range(200)),
        "candidates": tuple(0 if n < 3 else 25 for n in range(200)),
    }
    return replace(found, trials=(replace(found.trials[0], facts=facts),))


def candidates() -> Iterator[Metric]:
    for place, (family, index, parameters, share, p95_s, size, build_s) in enumerate(CANDIDATES):
        facts: dict[str, Fact] = {
            "rows": 100_000,
            "recall_low": share - 0.004,
            "recall_high": min(share + 0.004, 1.0),
            "p50_s": p95_s * 0.8,
            "p95_s": p95_s,
            "file_bytes": size,
            "build_s": build_s,
        }
        labels = {"family": family, "index": index, "parameters": parameters}
        yield metric("recall", labels, [[share]], unit="1", better="higher", arm="tune", facts=[facts], first=place + 1)
    early: dict[str, Fact] = {"rows": 10_000, "p50_s": 0.001, "p95_s": 0.0012}
    labels = {"family": "PQ", "index": "PQ96x4fs", "parameters": ""}
    yield metric("recall", labels, [[0.81]], unit="1", better="higher", arm="race", facts=[early])


def experiments() -> Result:
    """All of them beside the warm state, and a metric that no section knows."""
    unknown = metric("index_build_time", {"index": "Flat"}, [[spread(0.57, i)] for i in range(6)], arm="build")
    return result(metrics=(*warm(), *load(), *caches(), recall(), *candidates(), unknown))


def tuned_row(index: str, parameters: str, share: float, p95_s: float, *, dropped: str = "", front: bool = True) -> Row:
    found = next(one for one in CANDIDATES if one[1:3] == (index, parameters))
    return Row(
        family=found[0],
        index=index,
        parameters=parameters,
        recall=share,
        recall_low=share - 0.004,
        recall_high=min(share + 0.004, 1.0),
        recall_queries=500,
        p50_s=p95_s * 0.8,
        p95=Spread(p95_s, p95_s * 0.97, p95_s * 1.04),
        build_s=found[6],
        file_bytes=round(found[5]),
        memory_bytes=None,
        cold=Spread(p95_s * 400, p95_s * 390, p95_s * 420),
        open_mode="read",
        on_front=front,
        dropped=dropped,
    )


def tuning() -> Tuning:
    """The outcome on the candidates above: a change pays, and the runner-up is close."""
    winner = tuned_row("IVF1024,SQ8", "nprobe=8", 0.971, 0.00009)
    runner_up = tuned_row("HNSW32", "efSearch=64", 0.963, 0.000338, front=False)
    current = tuned_row("current", "", 0.94, 0.0051, dropped="finds 94.0 %", front=False)
    flat = tuned_row("Flat", "", 1.0, 0.0096, dropped="106.7 times as slow")
    beaten = tuned_row("SQ8", "", 0.991, 0.0046, dropped="51.1 times as slow", front=False)
    return Tuning(
        budget=Budget(0.95, 0.005, 500 * MIB),
        metric="l2",
        k=25,
        count=100_000,
        dimension=384,
        queries=500,
        is_shown=True,
        advice="change",
        reason="the current index finds 94.0 % (93.6 % to 94.4 %) of the nearest, 95.0 % are wanted; "
        "IVF1024,SQ8 nprobe=8 takes 90.0 µs (p95) and finds 97.1 % (96.7 % to 97.5 %)",
        winner=winner,
        runner_up=runner_up,
        difference=Spread(0.000248, 0.000231, 0.000267),
        current=current,
        gain=Spread(0.00501, 0.00492, 0.00513),
        rows=(winner, runner_up, current, flat, beaten),
        points=tuple(
            PlotPoint(family, index, parameters, share, p95_s, on_front=False)
            for family, index, parameters, share, p95_s, *_ in CANDIDATES
        ),
        floors=Floors(310_000, 9.1e9, 4e-6, 0.2, 1.2e-7),
        bound="memory",
        capacity=Capacity(6_120_000, 4_310_000, 8_690_000, "", ((6_250, 0.00002), (100_000, 0.00009))),
        code='index = faiss.index_factory(384, "IVF1024,SQ8")',
        left_out=(("PQ", "finds 81.0 % on 10,000 vectors"), ("RaBitQ", "not reached"), ("HNSW", "not reached")),
        confidence=0.95,
    )


def tuned() -> Result:
    """A tuning as it is saved: JSON has lists for tuples."""
    found = result(metrics=tuple(candidates()))
    return replace(found, workload={**found.workload, "tuning": json.loads(json.dumps(tuning().as_json()))})


EXAMPLES = {"retrieval_experiments": experiments, "retrieval_tuned": tuned}
