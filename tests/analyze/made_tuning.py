"""A machine on which every index's speed and recall are known: answers the trials that a tuning asks for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from synapse_perf.analyze.tuning import CURRENT, Budget, Option, Tuning
from synapse_perf.analyze.tuning_outcome import outcome
from synapse_perf.analyze.tuning_plan import TuningRequest, tuning_policy
from synapse_perf.model import Failure, Measurement, Sample, Trial, TrialSpec

QUERIES = 200


@dataclass(frozen=True)
class Truth:
    """What an index is like on all vectors; its p95 is 1.5 times its p50, apart from noise."""

    p50_s: float
    recall: float = 0.97
    growth: float = 0.5
    compared_share: float = 0.05  # of a family that skips vectors
    file_bytes: int = 40_000_000
    build_s: float = 2.0
    fails: str = ""


@dataclass
class Machine:
    """Keeps what it was asked for; `noise` is the spread of one process's speed, in logarithms."""

    truths: Mapping[tuple[str, float], Truth]
    count: int = 100_000
    noise: float = 0.02
    seed: int = 0
    trials: tuple[Trial, ...] = ()
    built: list[tuple[str, float, int]] = field(default_factory=list)

    def tune(self, request: TuningRequest, most: int = 200) -> Tuning:
        policy = tuning_policy(request)
        rng = random.Random(self.seed)
        while (spec := policy(self.trials)) is not None:
            assert len(self.trials) < most, "the tuning does not come to an end"
            process = 1 + sum(trial.spec.arm == spec.arm for trial in self.trials)
            self.trials = (*self.trials, self._run(spec, process, rng))
        return outcome(request, self.trials, lambda factory, point, mode: f"{factory} {dict(point)} {mode}")

    def asked(self, benchmark: str) -> list[TrialSpec]:
        return [trial.spec for trial in self.trials if trial.spec.benchmark == benchmark]

    def _run(self, spec: TrialSpec, process: int, rng: random.Random) -> Trial:
        samples: list[Sample] = []
        failure = None
        if spec.benchmark == "tune_index":
            for asked in spec.workload["candidates"]:
                truth = self.truths[asked["family"], asked["size"]]
                if truth.fails:
                    failure = Failure("crash", truth.fails)
                    break
                self.built.append((asked["family"], asked["size"], spec.workload["rows"]))
                samples += self._settings(asked["family"], asked["size"], truth, spec, rng)
        elif spec.benchmark == "tune_compare":
            samples = self._compared(spec, rng)
        else:
            samples = [_cold(spec, self._truth_of(spec.workload["labels"]))]
        return Trial(spec, process, tuple(samples), 1.0, failure=failure)

    def _settings(self, family: str, size: float, truth: Truth, spec: TrialSpec, rng: random.Random) -> list[Sample]:
        """The best setting, and one of half the time that recalls less."""
        rows, wanted = spec.workload["rows"], spec.workload["recall"]
        p50_s = truth.p50_s * (rows / self.count) ** truth.growth * rng.lognormvariate(0, self.noise)
        facts = {
            "size": size,
            "rows": rows,
            "dimension": 384,
            "file": f"{family}-{size:g}.index",
            "file_bytes": truth.file_bytes * rows // self.count,
            "build_s": None if family == CURRENT else truth.build_s,
            "compared_share": 1.0 if truth.growth == 1 else truth.compared_share,
        }
        floors = {
            "scanned_bytes": 1e9 * p50_s,
            "read_bandwidth": 1e10,
            "call_s": 4e-6,
            "faults_per_query": 0.0,
            "fault_s": 1e-7,
        }
        best = _setting(family, size, "nprobe=8", truth.recall, p50_s, wanted, {**facts, **floors})
        less = _setting(family, size, "nprobe=4", truth.recall - 0.1, p50_s / 2, wanted, facts)
        return [best] if family == CURRENT else [best, less]

    def _compared(self, spec: TrialSpec, rng: random.Random) -> list[Sample]:
        speeds = [rng.lognormvariate(0, self.noise) for _ in spec.workload["finalists"]]
        samples = []
        for place in range(QUERIES):
            hardness = 1.5 if place % 10 == 0 else 1.0
            values = [
                Measurement(
                    "search_latency",
                    self._truth_of(one["labels"]).p50_s * hardness * speed * rng.lognormvariate(0, 0.02),
                    one["labels"],
                )
                for one, speed in zip(spec.workload["finalists"], speeds, strict=True)
            ]
            samples.append(Sample(tuple(values)))
        return samples

    def _truth_of(self, labels: Mapping[str, str]) -> Truth:
        family, _, size = labels["index"].partition("/")
        return self.truths[family, float(size or 0)]


def request(machine: Machine, budget: Budget | None = None, **changes: object) -> TuningRequest:
    options = tuple(
        Option(family, size, truth.growth) for (family, size), truth in machine.truths.items() if family != CURRENT
    )
    given: dict[str, object] = {
        "directory": "set",
        "count": machine.count,
        "dimension": 384,
        "queries": 1000,
        "metric": "l2",
        "k": 10,
        "budget": budget or Budget(0.95),
        "options": options,
        "current": () if (CURRENT, 0) in machine.truths else None,
    }
    return TuningRequest(**{**given, **changes})  # type: ignore[arg-type]


def _setting(
    family: str, size: float, parameters: str, recall: float, p50_s: float, wanted: float, facts: Mapping[str, object]
) -> Sample:
    index = CURRENT if family == CURRENT else f"{family}/{size:g}"
    labels = {"family": family, "index": index, "parameters": "" if family == CURRENT else parameters}
    own = {
        "recall_low": recall - 0.005,
        "recall_high": min(1.0, recall + 0.005),
        "recall_queries": 1000,
        "p50_s": p50_s,
        "p95_s": 1.5 * p50_s,
        "p95_low_s": 1.45 * p50_s,
        "p95_high_s": 1.55 * p50_s,
        "suffices": recall - 0.005 >= wanted,
    }
    return Sample((Measurement("recall", recall, labels),), {**facts, **own})  # type: ignore[dict-item]


def _cold(spec: TrialSpec, truth: Truth) -> Sample:
    values = (
        Measurement("index_cold_time", truth.file_bytes / 1e9),
        Measurement("index_memory", 1.1 * truth.file_bytes),
    )
    return Sample(values, {"cold_proven": True, "mode": spec.workload["mode"]})
