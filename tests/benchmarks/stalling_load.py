"""query_load with a planted fault: at one of its queries the model stands still for a while, and then goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks import query_load
from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.query_load import FIRST_IMPORT as FIRST_IMPORT
from synapse_perf.benchmarks.query_load import METRICS as METRICS
from synapse_perf.benchmarks.query_load_steps import Served
from synapse_perf.samples import Sample

STALL_S = 0.3


class StallingOwner(query_load.ModelOwner):
    """Stalls once, in the workload's `stalls_at`-th query of each step."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._asked = 0

    def ask(self, content: Any) -> Served:
        began_ns = time.perf_counter_ns()
        if self._asked == self._context.workload["stalls_at"]:
            time.sleep(STALL_S)
        self._asked += 1
        served = super().ask(content)
        return served._replace(began_ns=began_ns, service_s=(served.ended_ns - began_ns) * 1e-9)

    def settle(self) -> None:
        super().settle()
        self._asked = 0


def measure(context: Context) -> Iterator[Sample]:
    """In this process alone."""
    vars(query_load)["ModelOwner"] = StallingOwner
    yield from query_load.measure(context)
