"""Who is told to hold what grows? Planted faults in a worker of their own, each with another owner."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

from synapse_perf.analyze.leak_attribution import CALLS_AT_LEAST, Growing, Wanted, attribution_specs
from synapse_perf.analyze.leak_owners import Owner, owner_of
from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.measure.session import run_trials
from synapse_perf.model import Trial, TrialSpec
from tests.analyze.made_leaks import leaking, trial

FOLDER = Path(__file__).parent
SIZE = 50_000


def growing(function: str, grown: Mapping[str, float], **workload: Any) -> Growing:
    """A hunt that came to this verdict."""
    spec = TrialSpec("leak_function", "", {}, {"function": f"owning_code:{function}", **workload}, cwd=str(FOLDER))
    hunt = Hunt(f"owning_code:{function}", "call", spec)
    judged = {
        probe: Judged("leak", Slope(each, each, each), each, 40, "", wants_longer=False)
        for probe, each in grown.items()
    }
    return Growing(hunt, trial({"heap": leaking(SIZE, 24)}, hunt=hunt), judged)


def attributed(one: Growing, folder: Path, wanted: Wanted = Wanted()) -> Trial:  # noqa: B008
    """The attribution's trial, run as the command runs it."""
    (spec,) = attribution_specs([one], wanted, 60)
    outcome = run_trials(
        lambda trials: None if trials else spec, planned=1, register_directory=folder, observe=lambda _: None
    )
    assert outcome.trials[0].failure is None, outcome.trials[0].failure
    return outcome.trials[0]


class Case(NamedTuple):
    """A hunt of one function, and what is asked of it."""

    function: str
    probe: str
    each: float
    wanted: Wanted = Wanted()
    workload: tuple[tuple[str, str], ...] = ()

    @property
    def growing(self) -> Growing:
        return growing(self.function, {self.probe: self.each}, **dict(self.workload))


Owners: TypeAlias = Callable[[Case], Owner]
Seen: TypeAlias = Callable[[Case], Any]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Future[Trial]]]:
    """All of them at once, one for each processor: nothing here depends on the time that it takes."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            case: pool.submit(attributed, case.growing, tmp_path_factory.mktemp("processes"), case.wanted)
            for case in CASES
        }


@pytest.fixture
def seen_of(trials: dict[Case, Future[Trial]]) -> Seen:
    """What was seen by an attribution."""
    return lambda case: trials[case].result().facts["attribution"]


@pytest.fixture
def owner(seen_of: Seen) -> Owners:
    """The owner of what the case's probe sees."""
    return lambda case: owner_of(case.growing, case.probe, seen_of(case))


EVERYTHING = Case("in_everything", "heap", 11.0 * SIZE)
VALUES = {
    Case("in_a_cache", "heap", SIZE): ("owning_code.loaded", "lru_cache"),
    Case("in_a_bytearray", "heap", SIZE): ("owning_code.LOG", "bytearray"),
    Case("in_a_class_attribute", "heap", SIZE): ("owning_code.Store.blob", "value"),
    Case("in_a_chain", "heap", SIZE): ("owning_code.CHAIN", "value"),
}
GIVEN = Case("in_what_the_setup_gave", "heap", SIZE, workload=(("setup", "owning_code:made"),))
SMALL = Case("in_small_objects", "heap", 29_800)
NATIVE = {
    Case("models_in_a_list", "heap", SIZE): ("owning_code.KEPT", "(__init__)"),
    Case("model_in_its_finalizer", "heap", SIZE): ("weakref.finalize._registry", "(model_in_its_finalizer)"),
    Case("native_blocks", "heap", SIZE): ("owning_code.py:", "(native_blocks)"),
}
MAPPED = Case("mappings", "anonymous", SIZE)
COUNTED = {
    Case("files_in_a_list", "descriptors", 1): ("owning_code.KEPT", "device /dev/null"),
    Case("bare_descriptors", "descriptors", 1): ("owning_code.py:", "device /dev/null"),
    Case("threads", "python_threads", 1): ("owning_code.py:", "Thread-N (wait), at threading.py:"),
    Case("tasks", "tasks", 1): ("owning_code.KEPT", "Event.wait, waiting at locks.py:"),
    Case("sockets", "sockets", 1): ("owning_code.KEPT", "LISTEN"),
    Case("children", "children", 1): ("owning_code.KEPT", " -c input()"),
}
PRIVATE = Case("in_a_dict_of_texts", "heap", SIZE, Wanted(graph=True))
TOLD = Case("in_a_list_under_a_key", "heap", SIZE, Wanted(shows_values=True))
DRAWN = Case("in_a_list", "heap", SIZE, Wanted(graph=True))
CLEAN = Case("nothing", "heap", SIZE)
CASES = (EVERYTHING, *VALUES, GIVEN, SMALL, *NATIVE, MAPPED, *COUNTED, PRIVATE, TOLD, DRAWN, CLEAN)


def name_of(case: object) -> str | None:
    return case.function if isinstance(case, Case) else None


def test_every_kind_of_container_is_told_by_its_path_and_its_line(seen_of: Seen) -> None:
    found = {one["path"]: one for one in seen_of(EVERYTHING)["containers"]}

    assert {path: one["type"] for path, one in found.items()} == {
        "owning_code.KEPT": "list",
        "owning_code.BY_NAME": "dict",
        "owning_code.RECENT": "collections.deque",
        "owning_code.SEEN": "set",
        "owning_code.ORDERED": "collections.OrderedDict",
        "owning_code.loaded": "lru_cache",
        "owning_code.STORE.items": "list",
        "owning_code.STORE.shelves[...]": "list",
        "owning_code.in_a_closure.kept": "list",
        "owning_code.in_a_default.kept": "list",
        "owning_code.LOG": "bytearray",
    }
    unknown = {path for path, one in found.items() if not one["site"].startswith("owning_code.py:")}
    assert unknown <= {"owning_code.LOG", "owning_code.ORDERED"}  # a bytearray has no entries, numpy keeps old arrays
    assert found["owning_code.loaded"]["bound"] is None
    assert all(SIZE <= one["entry_bytes"] < SIZE + 500 for path, one in found.items() if "LOG" not in path)


@pytest.mark.parametrize(("case", "told"), VALUES.items(), ids=name_of)
def test_the_owner_of_python_memory(case: Case, told: tuple[str, str], owner: Owners) -> None:
    found = owner(case)

    assert found.container is not None, found
    assert (found.container["path"], found.container["type"]) == told
    assert found.name == told[0]
    assert found.site.startswith("owning_code.py:")
    assert found.made == "python"


def test_what_the_setup_gave_has_that_name(owner: Owners) -> None:
    assert owner(GIVEN).name == "what the setup gave.items"


def test_small_objects_are_python_though_the_c_heap_does_not_see_them(owner: Owners) -> None:
    found = owner(SMALL)

    assert (found.name, found.made) == ("owning_code.KEPT", "python")


@pytest.mark.parametrize(("case", "told"), NATIVE.items(), ids=name_of)
def test_memory_of_compiled_code_has_an_owner_or_at_least_a_line(
    case: Case, told: tuple[str, str], owner: Owners
) -> None:
    found, (name, line) = owner(case), told

    assert found.name.startswith(name)
    assert line in found.site
    assert found.made == "native"


def test_anonymous_mappings_have_a_line(owner: Owners) -> None:
    found = owner(MAPPED)

    assert (found.name, found.made) == ("owning_code.KEPT", "native")
    assert "(mappings)" in found.site


@pytest.mark.parametrize(("case", "told"), COUNTED.items(), ids=name_of)
def test_what_a_system_counts_is_told_by_its_name_with_its_owner(
    case: Case, told: tuple[str, str], owner: Owners
) -> None:
    found, (name, what) = owner(case), told

    assert found.name.startswith(name), found
    assert f"({case.function})" in found.site
    assert what in found.what


# --- values are the user's -------------------------------------------------------------------------------------------


def test_no_value_of_the_users_is_told(seen_of: Seen) -> None:
    told = seen_of(PRIVATE)

    assert "a private key" not in json.dumps(told)
    assert told["graph"].startswith("digraph")


def test_values_are_told_where_they_are_asked_for(owner: Owners) -> None:
    found = owner(TOLD)

    assert found.name == "owning_code.STORE.shelves['one']"
    assert len(found.values) == 4


def test_the_graph_leads_from_the_module_to_what_is_kept(seen_of: Seen) -> None:
    told = seen_of(DRAWN)

    assert 'label="KEPT"' in told["graph"]
    assert "module\\nowning_code" in told["graph"]
    assert "_containers" not in told["graph"]


def test_nothing_grows_in_what_is_clean(seen_of: Seen) -> None:
    seen = seen_of(CLEAN)

    assert (seen["containers"], seen["sites"], seen["held"]) == ([], [], {})


def test_a_call_is_made_as_often_as_there_is_time() -> None:
    (spec,) = attribution_specs([growing("nothing", {"heap": SIZE})], Wanted(), 240)

    assert spec.workload["attribute"]["calls"] == CALLS_AT_LEAST
