"""Who is told to hold what grows? Planted faults in a worker of their own, each with another owner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def owner(function: str, probe: str, each: float, folder: Path, **workload: Any) -> Owner:
    one = growing(function, {probe: each}, **workload)
    return owner_of(one, probe, attributed(one, folder).facts["attribution"])


def test_every_kind_of_container_is_told_by_its_path_and_its_line(tmp_path: Path) -> None:
    seen = attributed(growing("in_everything", {"heap": 11 * SIZE}), tmp_path).facts["attribution"]
    found = {one["path"]: one for one in seen["containers"]}

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


@pytest.mark.parametrize(
    ("function", "path", "kind"),
    [
        ("in_a_cache", "owning_code.loaded", "lru_cache"),
        ("in_a_bytearray", "owning_code.LOG", "bytearray"),
        ("in_a_class_attribute", "owning_code.Store.blob", "value"),
        ("in_a_chain", "owning_code.CHAIN", "value"),
    ],
)
def test_the_owner_of_python_memory(function: str, path: str, kind: str, tmp_path: Path) -> None:
    found = owner(function, "heap", SIZE, tmp_path)

    assert found.container is not None, found
    assert (found.name, found.container["path"], found.container["type"]) == (path, path, kind)
    assert found.site.startswith("owning_code.py:")
    assert found.made == "python"


def test_what_the_setup_gave_has_that_name(tmp_path: Path) -> None:
    found = owner("in_what_the_setup_gave", "heap", SIZE, tmp_path, setup="owning_code:made")

    assert found.name == "what the setup gave.items"


def test_small_objects_are_python_though_the_c_heap_does_not_see_them(tmp_path: Path) -> None:
    found = owner("in_small_objects", "heap", 29_800, tmp_path)

    assert (found.name, found.made) == ("owning_code.KEPT", "python")


@pytest.mark.parametrize(
    ("function", "name", "line"),
    [
        ("models_in_a_list", "owning_code.KEPT", "(__init__)"),
        ("model_in_its_finalizer", "weakref.finalize._registry", "(model_in_its_finalizer)"),
        ("native_blocks", "owning_code.py:", "(native_blocks)"),
    ],
)
def test_memory_of_compiled_code_has_an_owner_or_at_least_a_line(
    function: str, name: str, line: str, tmp_path: Path
) -> None:
    found = owner(function, "heap", SIZE, tmp_path)

    assert found.name.startswith(name)
    assert line in found.site
    assert found.made == "native"


def test_anonymous_mappings_have_a_line(tmp_path: Path) -> None:
    found = owner("mappings", "anonymous", SIZE, tmp_path)

    assert (found.name, found.made) == ("owning_code.KEPT", "native")
    assert "(mappings)" in found.site


@pytest.mark.parametrize(
    ("function", "probe", "name", "what"),
    [
        ("files_in_a_list", "descriptors", "owning_code.KEPT", "device /dev/null"),
        ("bare_descriptors", "descriptors", "owning_code.py:", "device /dev/null"),
        ("threads", "python_threads", "owning_code.py:", "Thread-N (wait), at threading.py:"),
        ("tasks", "tasks", "owning_code.KEPT", "Event.wait, waiting at locks.py:"),
        ("sockets", "sockets", "owning_code.KEPT", "LISTEN"),
        ("children", "children", "owning_code.KEPT", " -c input()"),
    ],
)
def test_what_a_system_counts_is_told_by_its_name_with_its_owner(
    function: str, probe: str, name: str, what: str, tmp_path: Path
) -> None:
    found = owner(function, probe, 1, tmp_path)

    assert found.name.startswith(name), found
    assert f"({function})" in found.site
    assert what in found.what


# --- values are the user's -------------------------------------------------------------------------------------------


def test_no_value_of_the_users_is_told(tmp_path: Path) -> None:
    one = growing("in_a_dict_of_texts", {"heap": SIZE})
    told = attributed(one, tmp_path, Wanted(graph=True)).facts["attribution"]

    assert "a private key" not in json.dumps(told)
    assert told["graph"].startswith("digraph")


def test_values_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    one = growing("in_a_list_under_a_key", {"heap": SIZE})
    seen = attributed(one, tmp_path, Wanted(shows_values=True)).facts["attribution"]
    found = owner_of(one, "heap", seen)

    assert found.name == "owning_code.STORE.shelves['one']"
    assert len(found.values) == 4


def test_the_graph_leads_from_the_module_to_what_is_kept(tmp_path: Path) -> None:
    told = attributed(growing("in_a_list", {"heap": SIZE}), tmp_path, Wanted(graph=True)).facts["attribution"]

    assert 'label="KEPT"' in told["graph"]
    assert "module\\nowning_code" in told["graph"]
    assert "_containers" not in told["graph"]


def test_nothing_grows_in_what_is_clean(tmp_path: Path) -> None:
    seen = attributed(growing("nothing", {"heap": SIZE}), tmp_path).facts["attribution"]

    assert (seen["containers"], seen["sites"], seen["held"]) == ([], [], {})


def test_a_call_is_made_as_often_as_there_is_time(tmp_path: Path) -> None:
    (spec,) = attribution_specs([growing("nothing", {"heap": SIZE})], Wanted(), 240)

    assert spec.workload["attribute"]["calls"] == CALLS_AT_LEAST
