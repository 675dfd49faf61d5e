"""How does a result become a file, a file a result, and a saved run a name like ``last~1``?"""

from synapse_perf.results.reading import load
from synapse_perf.results.runs import find_run, is_run_name, list_runs, save_run, state_directory
from synapse_perf.results.schema import json_schema
from synapse_perf.results.writing import dumps, write

__all__ = [
    "dumps",
    "find_run",
    "is_run_name",
    "json_schema",
    "list_runs",
    "load",
    "save_run",
    "state_directory",
    "write",
]
