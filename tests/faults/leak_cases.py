"""Which functions of the corpus leave what behind, and does leak-hunt say so?

Families that are `fresh` were written after the thresholds and the rules were frozen, and are reported apart. What was
frozen then is known by its digest: once it changes, somebody has seen every family, and none is fresh any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synapse_perf.analyze import leak_filling, leak_thresholds, leak_trend, leak_verdict
from synapse_perf.analyze.leak_attribution import Growing, Wanted, attribution_specs, growing_hunts
from synapse_perf.analyze.leak_filling import doubted, told_rows
from synapse_perf.analyze.leak_owners import owner_of
from synapse_perf.analyze.leak_plan import Hunt, looks_of, next_look
from synapse_perf.analyze.leak_rows import UNTRIMMED, decisive, leaks_of
from synapse_perf.measure.session import run_trials
from synapse_perf.model import Json, Leak, Trial, TrialSpec
from tests.module_digest import digest

FOLDER = Path(__file__).parent
FROZEN = "4298445cbec3be22"  # digest of what decided when the fresh families were written
MAX_TIME_S = 120.0  # the command's own

BYTES = frozenset({"heap", "anonymous", "shared_memory"})
SIZES = (10_000, 100_000, 1_000_000)  # bytes for each call; the smallest is shown and has no target

Kind = Literal["bytes", "count", "collected", "innocent"]


@dataclass(frozen=True, slots=True)
class Case:
    """One function, and which probes have to tell a leak: any of them; none for what only looks like one."""

    function: str
    kind: Kind
    probes: frozenset[str] = frozenset()
    size: int | None = None
    is_fresh: bool = False
    is_bounded: bool = False  # a cache that tells its bound grows along with the leak
    owner: str = ""  # the object that holds what leaks, with its module or class; else the function where it is made

    @property
    def is_held(self) -> bool:
        """Whether an object of Python's holds what leaks: its name is then what has to be told."""
        return "." in self.owner

    @property
    def name(self) -> str:
        return f"{self.function} {self.size}" if self.size else self.function

    @property
    def reference(self) -> str:
        return f"leak_corpus.{self.function}"


@dataclass(frozen=True, slots=True)
class Hunted:
    """What one hunt told of a case."""

    trials: tuple[Trial, ...]
    leaks: Mapping[str, Leak]  # by probe
    collected_bytes: float  # by the garbage collector, for each call: the middle one

    @property
    def leaking(self) -> set[str]:
        return {probe for probe, leak in self.leaks.items() if leak.status == "leak"}

    def is_right(self, case: Case) -> bool:
        """Whether the fault was told, or the innocent was not accused."""
        if case.kind == "innocent":
            return not self.leaking
        if case.kind == "collected":
            assert case.size is not None
            return not self.leaking and self.collected_bytes > case.size / 2
        return bool(self.leaking & case.probes)


def hunt_of(case: Case) -> Hunt:
    workload: dict[str, Json] = {
        "function": case.reference,
        "arguments": [case.size] if case.size else [],
        "keywords": {},
        "calls": None,
    }
    return Hunt(case.reference, "call", TrialSpec("leak_function", "", {}, workload, cwd=str(FOLDER)))


def hunt(case: Case, register_directory: Path) -> Hunted:
    """As the command does it: its policy, a fresh worker for each look, its verdict, and what the owner changes in it.

    A leak whose code declares no bound is not asked for its owner: without a bound that changes no verdict.
    """
    policy = next_look([hunt_of(case)], MAX_TIME_S)
    outcome = run_trials(policy, planned=1, register_directory=register_directory, observe=lambda event: None)
    failures = [trial.failure for trial in outcome.trials if trial.failure is not None]
    assert not failures, f"{case.name}: {failures[0].message}"
    look = decisive(looks_of(outcome.trials, case.reference))
    assert look is not None
    untrimmed = next((trial for trial in outcome.trials if trial.spec.arm == UNTRIMMED), None)
    rows: Sequence[Leak] = leaks_of(look, untrimmed)
    if any(row.status == "leak" for row in rows) and (case.kind == "innocent" or case.is_bounded):
        rows = told_rows(rows, [attributed(case, outcome.trials, register_directory)[0]])
    leaks = {leak.metric.partition("probe=")[2].rstrip("}"): leak for leak in rows}
    return Hunted(outcome.trials, leaks, _collected_bytes(look))


def attributed(case: Case, trials: Sequence[Trial], register_directory: Path) -> tuple[Growing, Json]:
    """What grows as it is judged in the end, and what one more worker tells of it, if it does."""
    growing = growing_hunts([hunt_of(case)], trials)
    specs = attribution_specs(growing, Wanted(), MAX_TIME_S)
    outcome = run_trials(
        lambda done: None if done else specs[0],
        planned=1,
        register_directory=register_directory,
        observe=lambda event: None,
    )
    seen = outcome.trials[0].facts.get("attribution")
    return doubted(growing[0], seen) if seen else growing[0], seen


def owners(case: Case, hunted: Hunted, register_directory: Path) -> dict[str, str]:
    """By leaking probe what is told of the owner."""
    growing, seen = attributed(case, hunted.trials, register_directory)
    found = {probe: owner_of(growing, probe, seen) for probe in sorted(hunted.leaking)} if seen else {}
    return {probe: f"{owner.name} {owner.site}" for probe, owner in found.items()}


def is_named(case: Case, told: Mapping[str, str]) -> bool:
    return any(case.owner in text for probe, text in told.items() if probe in case.probes)


def _collected_bytes(look: Trial) -> float:
    each = sorted(
        float(sample.facts.get("freed_by_gc_bytes") or 0) / float(sample.facts.get("calls") or 1)
        for sample in look.samples
    )
    return each[len(each) // 2]


# --- the corpus ------------------------------------------------------------------------------------------------------


def _sized(module: str, *, is_fresh: bool = False, is_bounded: bool = False, **owners: str) -> Iterator[Case]:
    """Functions by their name, with the owner in that module; an empty one: nobody has it."""
    for function, owner in owners.items():
        for size in SIZES:
            named = owner if "." in owner else f"{module}.{owner}" if owner else f"({function})"
            yield Case(f"{module}:{function}", "bytes", BYTES, size, is_fresh, is_bounded, named)


def _counted(module: str, *, is_fresh: bool = False, **told: tuple[str, str]) -> Iterator[Case]:
    """Functions by their name, with the probes, any of which has to tell, and the owner as above."""
    for function, (probes, owner) in told.items():
        named = f"{module}.{owner}" if owner else f"({function})"
        yield Case(f"{module}:{function}", "count", frozenset(probes.split()), is_fresh=is_fresh, owner=named)


def _innocent(module: str, *functions: str, is_fresh: bool = False) -> Iterator[Case]:
    for function in functions:
        yield Case(f"{module}:{function}", "innocent", is_fresh=is_fresh)


CASES: tuple[Case, ...] = (
    *_sized(
        "kept_bytes",
        small_objects="KEPT",
        whole_blocks="KEPT",
        native_block="",
        anonymous_mapping="KEPT",
        shared_mapping="KEPT",
        unbounded_dict="BY_KEY",
        unbounded_lru_cache="loaded",
        model_held_by_its_finalizer="weakref.finalize",
    ),
    Case("kept_bytes:model_in_a_cycle", "collected", size=1_000_000),
    *_counted(
        "kept_handles",
        descriptor=("descriptors", ""),
        thread=("threads python_threads", ""),
        task=("tasks", "KEPT"),
        socket_in_close_wait=("sockets", "KEPT"),
        child=("children", "KEPT"),
        orphan=("orphaned_children", ""),
        zombie=("zombies", ""),
    ),
    *_innocent(
        "innocent",
        "cache_that_fills_fast",
        "cache_that_fills_for_40_calls",
        "cache_that_fills_by_chance",
        "cache_that_fills_slowly_by_chance",
        "lazy_initialisation",
        "lazy_import",
        "fragmented_heap",
        "thread_pool_that_warms_up",
        "garbage_in_cycles",
        "freed_later",
        "page_cache_that_grows",
        "steady_churn",
        "threads_that_end",
    ),
    *_sized(
        "kept_otherwise",
        exception_with_its_frames="KEPT",
        open_database="KEPT",
        buffer_that_grows="BUFFER",
        view_of_an_array="KEPT",
        suspended_generator="KEPT",
        log_handler="KEPT",
    ),
    *_counted(
        "kept_otherwise",
        pipe=("descriptors", ""),
        event_loop=("descriptors", "KEPT"),
        timer=("threads python_threads", ""),
        consumer=("tasks", "KEPT"),
        listening_socket=("sockets", "KEPT"),
        helper_with_pipes=("children", "KEPT"),
    ),
    *_innocent(
        "innocent_otherwise",
        "cache_of_values_of_every_size",
        "compiled_patterns",
        "ring_of_records",
        "pool_of_connections",
        "queue_that_swings",
        "database_that_fills_its_cache",
        "batch_that_is_handed_on",
        "helpers_that_stay",
        "helpers_that_end",
        "entries_that_expire",
    ),
    *_sized(
        "kept_elsewhere",
        chain_of_objects="HEAD",
        text_that_grows="TEXT",
        queue_that_nobody_reads="WAITING",
        lists_by_user="BY_USER",
        cached_method="Loader.length",
        exit_hook="",
        private_pages_of_a_file="KEPT",
    ),
    *_counted(
        "kept_elsewhere",
        event_descriptor=("descriptors", ""),
        open_file=("descriptors", "KEPT"),
        executor=("threads python_threads", "KEPT"),
        task_behind_a_lock=("tasks", "KEPT"),
        datagram_socket=("sockets", "KEPT"),
        spawned_and_never_waited_for=("zombies", ""),
        interpreter_that_waits=("children", "KEPT"),
    ),
    *_innocent(
        "innocent_elsewhere",
        "log_that_is_halved",
        "documents_by_name_while_in_use",
        "store_of_so_many_bytes",
        "sample_of_what_was_seen",
        "spool_that_goes_to_disk",
        "records_that_are_flushed",
        "tasks_that_end_later",
        "threads_that_end_later",
        "mappings_that_come_and_go",
        "statistics_by_key",
        "types_that_are_dropped",
        "files_that_stay_open_for_a_while",
    ),
    *_sized(
        "kept_beside_caches",
        is_bounded=True,
        bytes_beside_a_cache="KEPT",
        native_block_beside_a_ring="",
    ),
    Case(
        "kept_beside_caches:descriptor_beside_a_cache",
        "count",
        frozenset({"descriptors"}),
        is_bounded=True,
        owner="(descriptor_beside_a_cache)",
    ),
    *_innocent(
        "innocent_bounded",
        "lru_cache_of_128",
        "lru_cache_of_500",
        "ring_of_300",
        "dictionary_of_128",
        "cache_of_40_megabytes",
    ),
    *_sized(
        "fresh_faults",
        is_fresh=True,
        listener_that_is_never_removed="LISTENERS",
        weak_key_that_its_own_value_holds="ABOUT",
        column_that_is_concatenated="COLUMN",
    ),
    *_sized("fresh_faults", is_fresh=True, is_bounded=True, history_beside_a_memo="HISTORY"),
    *_counted(
        "fresh_faults",
        is_fresh=True,
        selector_that_stays_open=("descriptors", "KEPT"),
        folder_that_is_read_by_half=("descriptors", "KEPT"),
        thread_that_waits_for_its_turn=("threads python_threads", "KEPT"),
    ),
    *_innocent(
        "fresh_innocent",
        "records_of_256_keys",
        "window_of_220_readings",
        "tiles_by_place",
        "blocks_read_ahead",
        "sessions_that_end",
        "table_that_doubles",
        "connections_by_name",
        is_fresh=True,
    ),
)


# --- what was frozen -------------------------------------------------------------------------------------------------


def rules_digest() -> str:
    """Of the thresholds and of the rules that use them."""
    return digest(leak_thresholds, leak_trend, leak_verdict, leak_filling)


def is_still_fresh(case: Case) -> bool:
    return case.is_fresh and rules_digest() == FROZEN
