"""A user's own retriever, measured in a virtual environment of its own that has nothing of the tool's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.benchmarks.user_retriever import METRICS
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Failure, Sample, Trial, TrialSpec
from tests.benchmarks.retriever_venv import QUERIES, UsersEnvironment, make_environment, write_queries

WORDS = len(QUERIES[0].split())
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> UsersEnvironment:
    return make_environment(tmp_path_factory.mktemp("user"))


class Runner:
    def __init__(self, users: UsersEnvironment, folder: Path) -> None:
        self.users = users
        self.folder = folder
        self.register = Register(folder / "register")

    def run(self, factory: str, mode: str, *, timeout_s: float = PATIENCE_S, **workload: Any) -> Trial:
        reference = factory if ":" in factory else f"userpackage.search:{factory}"
        content = {
            "factory": reference,
            "queries": self.users.queries,
            "mode": mode,
            "first": 0,
            "count": 5,
            "patience_s": timeout_s,
            **workload,
        }
        spec = TrialSpec(
            "user_retriever",
            mode,
            {},
            content,
            samples=5 if mode == "warm" else 1,
            timeout_s=timeout_s,
            python=self.users.python,
            cwd=str(self.folder),
        )
        return run_trial(spec, 1, register=self.register, observe=lambda event: None)

    def measured(self, factory: str, mode: str, **workload: Any) -> tuple[Sample, ...]:
        trial = self.run(factory, mode, **workload)
        assert trial.failure is None, trial.failure
        return trial.samples

    def fault(self, factory: str, mode: str = "cold", **more: Any) -> Failure:
        trial = self.run(factory, mode, **more)
        assert trial.failure is not None
        assert trial.samples == ()
        assert "\n" not in trial.failure.message
        return trial.failure


@pytest.fixture
def runner(users: UsersEnvironment, tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(users, tmp_path)
    yield runner
    runner.register.end_all()


def seconds(sample: Sample, state: str) -> dict[str, float]:
    assert {value.metric for value in sample.values} <= set(METRICS)
    assert {value.labels["state"] for value in sample.values} == {state}
    return {value.labels["stage"]: value.value for value in sample.values}


# --- every kind of retriever -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "results", "is_async"),
    [
        ("Plain", WORDS, False),
        ("Instances.build", WORDS, False),
        ("function", WORDS, False),
        ("Generating", WORDS, False),
        ("RunsItsOwnLoop", WORDS, False),
        ("Asynchronous", WORDS, True),
        ("asynchronous_factory", WORDS, True),
        ("Promising", WORDS, True),
        ("NeedsLoop", WORDS, True),
        ("GeneratingAsynchronously", WORDS, True),
        ("Mapping", WORDS, False),
        ("OwnResult", WORDS, False),
        ("Isolated", 1, False),
    ],
)
def test_every_kind_of_retriever_is_asked_and_its_results_are_counted(
    runner: Runner, factory: str, results: int, is_async: bool
) -> None:
    samples = runner.measured(factory, "warm")

    assert len(samples) == 5
    assert {sample.facts["results"] for sample in samples} == {results}
    assert {sample.facts["asynchronous"] for sample in samples} == {is_async}


def test_an_answer_that_cannot_be_counted_is_measured_with_a_warning(runner: Runner) -> None:
    trial = runner.run("Opaque", "cold")

    assert trial.failure is None
    assert trial.samples[0].facts["results"] is None
    assert trial.facts["warnings"] == ["the results in an answer of type object are not counted"]


def test_what_a_generator_does_is_part_of_the_answer(runner: Runner) -> None:
    (sample,) = runner.measured("Generating", "cold")

    assert seconds(sample, "cold")["first_retrieve"] >= 0.02  # it sleeps that long before it yields


def test_what_a_retriever_prints_disturbs_nothing(runner: Runner) -> None:
    assert len(runner.measured("Printing", "warm")) == 5


def test_the_module_may_be_in_the_current_folder_or_in_one_that_is_named(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("def build():\n    return lambda query: [query]\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "elsewhere.py").write_text("def build():\n    return lambda query: [query]\n")

    assert runner.measured("here:build", "cold")
    assert runner.measured("elsewhere:build", "cold", paths=[str(tmp_path / "lib")])


# --- the states ------------------------------------------------------------------------------------------------------


def test_the_stages_of_a_cold_process_are_its_total_and_the_tools_own_part_is_told_apart(runner: Runner) -> None:
    trial = runner.run("SlowToBuild", "process-cold", first_import="userpackage.search")
    stages = seconds(trial.samples[0], "process-cold")
    total_s = stages.pop("total")

    harness_s = stages.pop("harness")
    assert set(stages) == {"interpreter", "import", "build", "first_retrieve"}
    assert sum(stages.values()) == pytest.approx(total_s)
    assert all(value >= 0 for value in (harness_s, *stages.values()))
    assert stages["build"] >= 0.1  # it sleeps that long
    assert total_s + harness_s <= trial.wall_s


def test_an_import_costs_the_same_module_whether_or_not_it_comes_first(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(0.1)\ndef build():\n    return lambda query: []\n")

    for workload in ({"first_import": "slow"}, {}):
        (sample,) = runner.measured("slow:build", "process-cold", **workload)
        assert seconds(sample, "process-cold")["import"] >= 0.1


def test_cold_is_the_factory_and_the_first_answer(runner: Runner) -> None:
    (sample,) = runner.measured("Remembering", "cold")
    stages = seconds(sample, "cold")

    assert sample.facts["results"] == 0  # nothing was asked before
    assert stages["total"] == pytest.approx(stages["build"] + stages["first_retrieve"])
    assert isinstance(sample.facts["cpu_s"], float)
    assert isinstance(sample.facts["minor_faults"], int)


def test_preloading_asks_another_query_first(runner: Runner) -> None:
    (sample,) = runner.measured("Remembering", "preloaded")
    stages = seconds(sample, "preloaded")

    assert sample.facts["results"] == 1
    assert set(stages) == {"total", "preload"}


def test_a_file_with_one_query_is_preloaded_with_another_text(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(
        "def build():\n"
        "    asked = set()\n"
        "    def retrieve(query):\n"
        "        assert query not in asked\n"
        "        asked.add(query)\n"
        "        return []\n"
        "    return retrieve\n"
    )

    assert runner.measured("picky:build", "preloaded", queries=write_queries(tmp_path / "one.jsonl", ["one query"]))


def test_warm_samples_come_after_warm_ups_with_other_queries(runner: Runner) -> None:
    trial = runner.run("Remembering", "warm", first=20)
    facts = [sample.facts for sample in trial.samples]

    assert trial.failure is None
    assert [fact["query"] for fact in facts] == [20, 21, 22, 23, 0]
    discarded = trial.facts["discarded"]
    assert [fact["results"] for fact in facts] == [discarded + place for place in range(5)]
    assert discarded >= 10
    assert not any(fact["repeated"] for fact in facts)
    assert all(fact["cpu_s"] >= 0 for fact in facts)  # type: ignore[operator]


def test_a_query_that_was_asked_before_is_marked(runner: Runner, tmp_path: Path) -> None:
    samples = runner.measured("Plain", "warm", queries=write_queries(tmp_path / "two.jsonl", ["one", "two"]))

    assert all(sample.facts["repeated"] for sample in samples)


def test_each_process_begins_at_a_query_of_its_own(runner: Runner) -> None:
    begun = {runner.measured("Plain", "cold", first=None)[0].facts["query"] for _ in range(8)}

    assert len(begun) > 1


# --- what stays behind -----------------------------------------------------------------------------------------------


def test_a_thread_that_stays_holds_nothing_up(runner: Runner) -> None:
    assert runner.run("LeavesThread", "cold").wall_s < PATIENCE_S


def test_a_forked_child_that_stays_holds_nothing_up_and_is_ended(runner: Runner, users: UsersEnvironment) -> None:
    import psutil

    trial = runner.run("LeavesChild", "cold")
    child = int((users.package / "child").read_text())

    assert trial.failure is None
    assert trial.wall_s < PATIENCE_S
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(child).wait(30)
        psutil.Process(child)


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "message", "remedy"),
    [
        ("nowhere:build", "finds no module nowhere", "--python"),
        ("userpackage.nowhere:build", "finds no module userpackage.nowhere", "--python"),
        ("nothing", "userpackage.search has no nothing", "Asynchronous"),
        ("Plain.nothing", "userpackage.search:Plain.nothing: there is no nothing", "retrieve"),
        ("number", "userpackage.search:number is an object of type int, which cannot be called", "a function or"),
        ("raising", "userpackage.search:raising(): ValueError: no such index", "by hand"),
        ("exiting", "userpackage.search:exiting(): it called sys.exit('not today')", "by hand"),
        ("wanting", "wanting() missing 1 required positional argument: 'path'", "needs no arguments"),
        ("giving_none", "userpackage.search:giving_none() gave None, which has no retrieve(query)", "return an object"),
        ("giving_class", "userpackage.search:giving_class() gave the class Plain itself", "return Plain()"),
        ("WrongArguments", "takes 1 positional argument but 2 were given", "the query's text alone"),
        ("GivesNone", "retrieve() gave None for query 1", "an empty list"),
    ],
)
def test_a_retriever_that_cannot_be_asked_is_told_in_one_line(
    runner: Runner, factory: str, message: str, remedy: str
) -> None:
    failure = runner.fault(factory)

    assert failure.kind == "error"
    assert message in failure.message
    assert remedy in failure.remedy


def test_an_error_names_the_query_by_its_number_and_shows_the_users_frames_alone(runner: Runner) -> None:
    failure = runner.fault("FailsAtThird", "warm", first=0)

    assert failure.message == "retrieve() of query 8: LookupError: 3"  # warm-ups come first, with the other queries
    assert "search.py" in failure.detail
    assert "synapse_perf" not in failure.detail
    assert QUERIES[7] not in failure.message + failure.detail


def test_a_dependency_that_is_missing_is_told_with_the_module_that_wants_it(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import torch_of_another_world\n")

    failure = runner.fault("broken:build")

    assert failure.message == "importing broken: No module named 'torch_of_another_world'"
    assert "--python" in failure.remedy


@pytest.mark.parametrize("text", ["1/0", "def build(:", "import sys; sys.exit(3)", "raise KeyError"])
def test_a_module_that_cannot_be_imported_is_told(runner: Runner, tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.py").write_text(text)

    assert runner.fault("broken:build").message.startswith("importing broken: ")


def test_no_memory_left_is_a_failure_of_its_own_kind(runner: Runner) -> None:
    assert runner.fault("OutOfMemory").kind == "out-of-memory"


@pytest.mark.parametrize(
    ("factory", "place"),
    [("hanging", "calling userpackage.search:hanging(), at search.py line"), ("HangsWhileAwaiting", "(answer)")],
)
def test_a_retriever_that_hangs_is_ended_and_the_line_is_named(runner: Runner, factory: str, place: str) -> None:
    failure = runner.fault(factory, timeout_s=5)

    assert failure.kind == "time-out"
    assert place in failure.message


def test_a_hang_among_many_queries_names_the_query(runner: Runner) -> None:
    failure = runner.fault("HangsWhileAwaiting", "warm", timeout_s=5)

    assert "retrieve() of query 6, at search.py line" in failure.message


def test_an_abrupt_end_is_a_crash_that_names_the_stage(runner: Runner) -> None:
    failure = runner.fault("ending")

    assert failure.kind == "crash"
    assert "status 7 in the stage: calling userpackage.search:ending()" in failure.message


def test_a_crash_in_compiled_code_keeps_the_line_that_called_it(runner: Runner) -> None:
    failure = runner.fault("Crashes")

    assert failure.kind == "crash"
    assert "SIGSEGV in the stage: the first retrieve(), of query 1" in failure.message
    assert "search.py" in failure.detail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("", "has no query"),
        ("\n\n", "has no query"),
        ('{"query": "fine"}\n{"text": "not a query"}\n', ":2: not a query"),
        ('{"query": "fine"}\n{"query": ""}\n', ":2: not a query"),
        ('{"query": "fine"}\n["\xff"]\nno json', ":2: not a query"),
    ],
)
def test_queries_that_are_none_are_told_with_their_line(
    runner: Runner, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "wrong.jsonl"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))

    assert message in runner.fault("Plain", "files", queries=str(path)).message
