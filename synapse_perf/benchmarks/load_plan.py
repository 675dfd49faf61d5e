"""Which load is offered to a service: how many requests, and when does each arrive?

Standard library only, as it runs in the user's own environment as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

LEAST_REQUESTS = 10  # a step; those of 6 processes together then support a p95
MOST_REQUESTS = 600
SHORTEST_STEP_S = 0.3
LOADS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.0, 3.0)  # times the serial rate
FEW_LOADS = (0.5, 1.1, 2.0)  # for services so slow that the others would take minutes


class LoadPlan(NamedTuple):
    """Which loads are offered, with how many requests, and when they arrive: ``poisson`` or ``even``."""

    loads: tuple[float, ...] = LOADS
    requests: int = 40
    budget_s: float = 8.0  # of all steps together
    arrivals: str = "poisson"
    seed: int = 0
    patience_s: float = 30.0  # for what is unanswered after the last request

    @classmethod
    def from_workload(cls, workload: Mapping[str, Any]) -> LoadPlan:
        return cls(**{**workload, "loads": tuple(workload["loads"])})

    def fitted(self, serial_per_s: float) -> LoadPlan:
        """With as many requests and loads as fit into the budget, but no fewer than can be judged."""
        affordable = int(self.budget_s * serial_per_s / sum(1 / load for load in self.loads))
        if affordable >= LEAST_REQUESTS:
            return self._replace(requests=min(self.requests, affordable))
        few = tuple(load for load in self.loads if load in FEW_LOADS) or self.loads
        return self._replace(requests=LEAST_REQUESTS, loads=few)

    def times_s(self, load: float, serial_per_s: float) -> list[float]:
        """When the requests of a step arrive, from its beginning."""
        per_s = load * serial_per_s
        count = min(max(self.requests, round(SHORTEST_STEP_S * per_s)), MOST_REQUESTS)
        if self.arrivals == "even":
            return [place / per_s for place in range(count)]
        return poisson_times_s(count, per_s, self.seed)


def poisson_times_s(count: int, per_s: float, seed: int) -> list[float]:
    """A Poisson process of which the count is known: so many moments drawn evenly from its duration.

    The same draws for each rate, so that a higher one is the same crowd in less time.
    """
    drawn = random.Random(seed)
    return sorted(drawn.random() * count / per_s for _ in range(count))
