"""Metrics of a retrieval as a run of bench-cgrag gives them, with one sample a process unless groups are given."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from synapse_perf.model import Metric
from tests.analyze.trials import metric

PROCESSES = 8
ANSWER_S = {"embed": 0.010, "glue": 0.00001, "search": 0.0005, "filter": 0.0001, "pack": 0.0003}
LIBRARIES_S = {
    "interpreter": 0.02,
    "import.numpy": 0.1,
    "import.faiss": 0.1,
    "import.llama_cpp": 0.1,
    "encoder": 0.2,
}


def around(middle_s: float, processes: int = PROCESSES, *, seed: int = 0) -> list[float]:
    """Values within 2 % of the middle, which is their median."""
    draw = random.Random(f"{middle_s} {seed}")
    offsets = [draw.uniform(0, 0.02) for _ in range(processes // 2)]
    factors = [*(1 + offset for offset in offsets), *(1 - offset for offset in offsets), *([1.0] * (processes % 2))]
    draw.shuffle(factors)
    return [middle_s * factor for factor in factors]


def latency(values: Sequence[float], **labels: str) -> Metric:
    return metric(*([value] for value in values), name="retrieval_latency", labels=labels)


def state(name: str, stages_s: dict[str, float], processes: int = PROCESSES, **labels: str) -> list[Metric]:
    """The stages of a state and their total, process by process."""
    columns = {stage: around(middle_s, processes) for stage, middle_s in stages_s.items()}
    totals = [sum(values) for values in zip(*columns.values(), strict=True)]
    return [
        latency(totals, state=name, stage="total", **labels),
        *(latency(values, state=name, stage=stage, **labels) for stage, values in columns.items()),
    ]


def warm(processes: int = PROCESSES, *, variant: str = "", **changed_s: float) -> list[Metric]:
    """Five queries a process."""
    labels = {"state": "warm"} | ({"variant": variant} if variant else {})
    stages_s = ANSWER_S | changed_s
    values = {stage: around(middle_s, processes, seed=len(variant)) for stage, middle_s in stages_s.items()}
    values["total"] = [sum(part) for part in zip(*values.values(), strict=True)]
    return [
        metric(
            *([value * factor for factor in (0.9, 0.95, 1.0, 1.1, 1.5)] for value in middles),
            name="retrieval_latency",
            labels={**labels, "stage": stage},
        )
        for stage, middles in values.items()
    ]


def openings(modes_s: Mapping[str, tuple[float, float]], processes: int = PROCESSES) -> list[Metric]:
    """For each way to open the index how long that and the first search take from a cold page cache."""
    found: list[Metric] = []
    for mode, (open_s, first_s) in modes_s.items():
        opening, first = around(open_s, processes), around(first_s, processes, seed=1)
        together = [one + other for one, other in zip(opening, first, strict=True)]
        for stage, values in (("open+search", together), ("open", opening), ("first_search", first)):
            found.append(latency(values, state="cold", open=mode, stage=stage))
    return found


def clean(processes: int = PROCESSES) -> list[Metric]:
    """A small index that is quick to open, in every state; nothing to be found."""
    quick = {"open": 0.001, "metadata": 0.001}
    answer = ANSWER_S | {"embed": 0.0004}
    return [
        *state("cold", quick | answer, processes),
        *state("preloaded", answer, processes),
        *state("process-cold", LIBRARIES_S | {"encoder": 0.9} | quick | answer, processes),
        *warm(processes, embed=0.0004),
        *warm(processes, embed=0.0004, variant="omp_threads=1"),
        *openings({"read": (0.003, 0.001), "mmap": (0.003, 0.001), "ifc": (0.003, 0.0011)}, processes),
    ]


def without(metrics: Iterable[Metric], **labels: str) -> list[Metric]:
    """All but those with these labels."""
    return [one for one in metrics if not labels.items() <= one.labels.items()]
