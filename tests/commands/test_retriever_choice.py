"""From ``--retriever package.module:factory`` to the trials that measure it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.analyze.sampling import Bounds, fixed, interleaved
from synapse_perf.commands.retriever_choice import (
    RetrieverRequest,
    error_of,
    explained,
    parse_factory,
    probe_spec,
    read_probe,
    retriever_arms,
    warm_count,
)
from synapse_perf.errors import ExitCode, InputError, SynapsePerfError
from synapse_perf.measure.death import NOT_STARTED, TOO_LONG
from synapse_perf.measure.session import run_trials
from synapse_perf.model import Failure, Trial, TrialSpec
from tests.benchmarks.retriever_venv import QUERIES, UsersEnvironment, make_environment, write_queries

EXAMPLE = Path(__file__).parent.parent / "examples/retriever_example.py"


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> UsersEnvironment:
    users = make_environment(tmp_path_factory.mktemp("user"))
    for name, size in (("texts.json", 10), ("vectors.bin", 20_000), ("index.bin", 300_000)):
        (users.package / name).write_bytes(b"x" * size)
    return users


def request_for(users: UsersEnvironment, factory: str, **more: object) -> RetrieverRequest:
    request = RetrieverRequest(
        factory=factory if ":" in factory else f"userpackage.search:{factory}",
        queries=users.queries,
        query_count=len(QUERIES),
        python=users.python,
        cwd=str(users.package.parent),
        timeout_s=60,
    )
    return replace(request, **more)  # type: ignore[arg-type]


def run(*specs: TrialSpec, folder: Path) -> tuple[Trial, ...]:
    outcome = run_trials(fixed(specs), planned=len(specs), register_directory=folder, observe=lambda event: None)
    return outcome.trials


def seen_of(users: UsersEnvironment, factory: str, folder: Path) -> Seen:
    (trial,) = run(probe_spec(request_for(users, factory)), folder=folder)
    return read_probe(trial)


# --- the name --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["search:build", "my_package.search.index:Retriever.from_disk", " search:build "])
def test_a_module_and_a_factory_are_taken_as_they_are(text: str) -> None:
    assert parse_factory(text) == text.strip()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no factory is named"),
        ("search", "no factory is named"),
        ("search:", "no factory is named"),
        (":build", "'' cannot be a name"),
        ("search..index:build", "'' cannot be a name"),
        ("my-search:build", "'my-search' cannot be a name"),
        ("search:build()", "'build()' cannot be a name"),
        ("search:build:twice", "'build:twice' cannot be a name"),
        ("src/search.py:build", "is a file, not a module"),
        ("search.py", "is a file, not a module"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(InputError, match=r"^--retriever") as caught:
        parse_factory(text)

    assert told in caught.value.message
    assert caught.value.remedy


def test_a_file_is_answered_with_the_name_of_its_module() -> None:
    with pytest.raises(InputError) as caught:
        parse_factory("./src/search.py:build")

    assert caught.value.remedy == "write src.search:build, and start in the folder that holds src"


# --- the probe -------------------------------------------------------------------------------------------------------


def test_the_probe_finds_the_files_and_the_step_that_reads_each(users: UsersEnvironment, tmp_path: Path) -> None:
    seen = seen_of(users, "Reading", tmp_path)

    assert [(Path(file.path).name, file.size_bytes, file.during) for file in seen.files] == [
        ("index.bin", 300_000, "first_retrieve"),
        ("vectors.bin", 20_000, "build"),
        ("texts.json", 10, "build"),
    ]
    assert seen.results == 1
    assert not seen.is_async
    assert seen.warnings == ()


def test_a_file_that_is_read_at_the_import_is_warned_of(users: UsersEnvironment, tmp_path: Path) -> None:
    (users.package.parent / "eager.py").write_text(
        "from pathlib import Path\n"
        "TEXT = (Path(__file__).parent / 'userpackage/index.bin').read_text()\n"
        "def build():\n    return lambda query: [TEXT]\n"
    )

    (warning,) = seen_of(users, "eager:build", tmp_path).warnings

    assert warning.startswith("index.bin is read while the module is imported")


def test_a_retriever_without_files_is_warned_of(users: UsersEnvironment, tmp_path: Path) -> None:
    (warning,) = seen_of(users, "Plain", tmp_path).warnings

    assert "not seen to read a file" in warning


def test_the_most_expensive_import_comes_first(users: UsersEnvironment, tmp_path: Path) -> None:
    source = users.package.parent
    (source / "heavy.py").write_text("import time; time.sleep(0.4)\n")
    (source / "lazily.py").write_text("import importlib; importlib.import_module('heavy')\n")
    (source / "importing.py").write_text("import lazily\ndef build():\n    return lambda query: []\n")

    seen = seen_of(users, "importing:build", tmp_path)

    assert seen.imports[0][0] == "heavy"  # and not what imports it
    assert 0.4 <= seen.imports[0][1] <= seen.import_s


@pytest.mark.parametrize(
    ("factory", "code"),
    [
        ("nowhere:build", ExitCode.USAGE),
        ("nothing", ExitCode.USAGE),
        ("giving_none", ExitCode.USAGE),
        ("GivesNone", ExitCode.USAGE),
        ("raising", ExitCode.MEASUREMENT_FAILED),
        ("ending", ExitCode.MEASUREMENT_FAILED),
        ("OutOfMemory", ExitCode.MEASUREMENT_FAILED),
    ],
)
def test_a_retriever_that_cannot_be_measured_ends_the_run_before_it_begins(
    users: UsersEnvironment, tmp_path: Path, factory: str, code: ExitCode
) -> None:
    with pytest.raises(SynapsePerfError) as caught:
        seen_of(users, factory, tmp_path)

    assert caught.value.exit_code == code
    assert caught.value.remedy
    assert "llama" not in caught.value.remedy
    assert "model" not in caught.value.remedy


# --- the trials ------------------------------------------------------------------------------------------------------


def test_every_state_is_measured_with_its_files_evicted(users: UsersEnvironment, tmp_path: Path) -> None:
    request = request_for(users, "Reading", warm_queries=3)
    arms = retriever_arms(request, seen_of(users, "Reading", tmp_path))
    policy = interleaved(arms, bounds=Bounds(minimum=2), seed=1, undecided=lambda trials: set())

    outcome = run_trials(policy, planned=8, register_directory=tmp_path, observe=lambda event: None)

    assert [trial.failure for trial in outcome.trials] == [None] * 8
    by_state: dict[str, list[Trial]] = {}
    for trial in outcome.trials:
        (state,) = {value.labels["state"] for sample in trial.samples for value in sample.values}
        by_state.setdefault(state, []).append(trial)
    assert {state: len(trials) for state, trials in by_state.items()} == dict.fromkeys(
        ("cold", "process-cold", "preloaded", "warm"), 2
    )
    assert all(trial.spec.labels["subject"] == "userpackage.search:Reading" for trial in outcome.trials)
    assert all("cold_proven" in trial.samples[0].facts for trial in by_state["cold"] + by_state["process-cold"])
    assert [len(trial.samples) for trial in by_state["warm"]] == [3, 3]


def test_the_example_is_measured_in_its_own_folder(users: UsersEnvironment, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "example.py")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/one.md").write_text("retrieval finds what is relevant")
    (tmp_path / "notes/two.md").write_text("nothing of the kind")
    queries = write_queries(tmp_path / "queries.jsonl", ["what is relevant", "which kind"])
    request = request_for(users, "example:build", cwd=str(tmp_path), queries=queries, query_count=2)
    (probe,) = run(probe_spec(request), folder=tmp_path / "register")
    seen = read_probe(probe)

    trials = run(*(arm.spec for arm in retriever_arms(request, seen)), folder=tmp_path / "register")

    assert [Path(file.path).name for file in seen.files] == ["one.md", "two.md"]
    assert [trial.failure for trial in trials] == [None] * 4
    assert {sample.facts["results"] for trial in trials for sample in trial.samples} == {1}


def test_modules_are_searched_in_the_same_folders_in_every_state(users: UsersEnvironment, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/elsewhere.py").write_text("def build():\n    return lambda query: [query]\n")
    request = request_for(users, "elsewhere:build", paths=(str(tmp_path / "lib"),))
    (probe,) = run(probe_spec(request), folder=tmp_path / "register")

    trials = run(*(arm.spec for arm in retriever_arms(request, read_probe(probe))), folder=tmp_path / "register")

    assert [trial.failure for trial in trials] == [None] * 4


def test_a_file_that_has_gone_since_the_probe_is_left_out(users: UsersEnvironment, tmp_path: Path) -> None:
    seen = seen_of(users, "Reading", tmp_path)
    gone = replace(seen, files=tuple(replace(file, path=f"{file.path}.gone") for file in seen.files))

    assert all(arm.spec.files == () for arm in retriever_arms(request_for(users, "Reading"), gone))


def test_a_slow_retriever_is_asked_fewer_queries_and_some_are_left_for_warming_up(users: UsersEnvironment) -> None:
    request = request_for(users, "Plain", query_count=1000, warm_queries=50)

    assert warm_count(request, 0.001) == 50
    assert warm_count(request, 1.0) == 10
    assert warm_count(request, 30.0) == 5
    assert warm_count(replace(request, query_count=30), 0.001) == 20
    assert warm_count(replace(request, query_count=4), 0.001) == 2
    assert warm_count(replace(request, query_count=1), 0.001) == 1


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_crash_is_told_with_the_users_innermost_line() -> None:
    dump = (
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n"
        '  File "/lib/users/search.py", line 12 in lookup\n  File "/lib/users/search.py", line 40 in retrieve\n'
        '  File "/tool/synapse_perf/benchmarks/user_code.py", line 90 in _plain\n'
    )
    failure = Failure("crash", "the worker died of SIGSEGV in the stage: warming up", "fetch the model again", dump)

    told = explained(failure)

    assert told.message == "the worker died of SIGSEGV in the stage: warming up, at search.py line 12 (lookup)"
    assert "model" not in told.remedy


def test_of_a_crash_among_threads_the_line_is_that_of_the_thread_that_crashed() -> None:
    dump = (
        'Thread 0x01 (most recent call first):\n  File "/lib/users/other.py", line 1 in wait\n\n'
        "Current thread 0x02 (most recent call first):\n"
        '  File "/usr/lib/python3.12/ctypes/__init__.py", line 519 in string_at\n'
        '  File "/venv/lib/python3.12/site-packages/users/search.py", line 12 in lookup\n'
        '  File "/usr/lib/python3.12/concurrent/futures/thread.py", line 58 in run\n'
    )

    told = explained(Failure("crash", "the worker died of SIGSEGV in the stage: to-thread", "", dump))

    assert told.message.endswith(", at search.py line 12 (lookup)")


def test_a_hang_that_the_worker_itself_has_seen_keeps_its_remedy() -> None:
    failure = Failure("time-out", "to-thread: 3 of 10 requests got no answer within 10 s", "use one thread")

    assert explained(failure) == failure


def test_an_interpreter_that_cannot_start_a_worker_keeps_its_remedy() -> None:
    failure = Failure("crash", "the worker ended with status 1 in the stage: start of the worker", NOT_STARTED)

    assert explained(failure) == failure


def test_an_abrupt_end_is_told_without_the_words_of_the_probes_own_parts(
    users: UsersEnvironment, tmp_path: Path
) -> None:
    (trial,) = run(probe_spec(request_for(users, "ending")), folder=tmp_path)

    assert trial.failure is not None
    assert trial.failure.message.endswith("calling userpackage.search:ending(): it wrote nothing")


def test_a_time_out_and_a_lack_of_memory_have_remedies_for_code() -> None:
    for kind, remedy in (("time-out", TOO_LONG), ("out-of-memory", "choose a smaller model")):
        failure = Failure(kind, "no end after 60 s", remedy)  # type: ignore[arg-type]
        assert "model" not in explained(failure).remedy
        assert error_of(failure).exit_code == ExitCode.MEASUREMENT_FAILED
