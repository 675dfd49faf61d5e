"""Does a function of the user's leave something behind each time that it is called?"""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_loop import watch
from synapse_perf.benchmarks.leak_users_code import UsersCode
from synapse_perf.host.leak_probes import own_probes
from synapse_perf.samples import Sample

FIRST_IMPORT = None


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each iteration."""
    code = UsersCode(context)
    code.prepare()
    try:
        yield from watch(context, own_probes(), code.call)
    finally:
        code.tear_down()
