"""What does each line of one function of the user's add to the memory, while the hunted function is called?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_users_code import UsersCode
from synapse_perf.benchmarks.line_memory import line_table
from synapse_perf.benchmarks.user_code import find_factory, import_named
from synapse_perf.samples import MetricDefinition, Sample

FIRST_IMPORT = None
METRICS: dict[str, MetricDefinition] = {}
WARM_UP = 3


def measure(context: Context) -> Iterator[Sample]:
    """One sample without values; the table is the fact `lines`."""
    code = UsersCode(context)
    code.prepare()
    numbers = count(1)
    reference: str = context.workload["lines"]
    try:
        function = find_factory(import_named(reference), reference)
        for _ in range(WARM_UP):
            code.call(next(numbers))
        context.stage(f"reading the memory after each line of {reference}")
        table = line_table(reference, function, lambda: code.call(next(numbers)))
    finally:
        code.tear_down()
    context.facts["lines"] = {
        "file": table.file,
        "calls": table.calls,
        "lines": [one._asdict() for one in table.lines],
    }
    yield Sample((), {})
