"""Which results has somebody blessed, and what was agreed about them?"""

from synapse_perf.baselines.directory import DIRECTORY
from synapse_perf.baselines.files import (
    add,
    baseline_path,
    find_for,
    hardware,
    joined_alike,
    keep_newest,
    list_baselines,
    load,
    load_for,
    name_for,
    remove_leftovers,
    results_of,
    save,
)

__all__ = [
    "DIRECTORY",
    "add",
    "baseline_path",
    "find_for",
    "hardware",
    "joined_alike",
    "keep_newest",
    "list_baselines",
    "load",
    "load_for",
    "name_for",
    "remove_leftovers",
    "results_of",
    "save",
]
