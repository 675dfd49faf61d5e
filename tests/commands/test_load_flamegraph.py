"""--flamegraph: one extra start that is watched, by py-spy where it may and from inside where it may not."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from synapse_perf.analyze.load_plan import Case, LoadRequest, ModelUnderTest, plan_load
from synapse_perf.commands.load_flamegraph import INSIDE, Recording, record, watched_start
from synapse_perf.measure import pyspy
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import Attach, run_trial
from synapse_perf.measure.session import Outcome
from synapse_perf.model import CacheState, Failure, Trial, TrialSpec
from tests.llama.starts import make
from tests.measure.py_spy import REFUSAL, needed, refusing

SVG = "{http://www.w3.org/2000/svg}"


class Runner:
    """Carries out what is asked for as the program does, and counts the starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.finished = 0

    def __call__(self, spec: TrialSpec, attach: Attach | None) -> Outcome:
        register = Register(self.folder / "register")
        try:
            trial = run_trial(spec, 1, register=register, observe=lambda event: None, attach=attach)
        finally:
            register.end_all()
        self.finished += 1
        return Outcome((trial,), is_interrupted=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("flamegraph"))


@pytest.fixture
def no_py_spy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyspy, "find_executable", lambda: None)


def cases_of(model: Path, *caches: CacheState) -> list[Case]:
    subject = ModelUnderTest("tiny", str(model), (str(model),), 1, "", "", is_sample=True, n_ctx_train=256)
    return plan_load([subject], LoadRequest(caches=caches or ("warm",), threads=(1,), load_modes=("mmap", "read")))


def with_stacks(stacks: Sequence[str], failure: Failure | None = None) -> Callable[..., Outcome]:
    """A run whose worker has these stacks to tell."""

    def run(spec: TrialSpec, attach: Attach | None) -> Outcome:
        with attach(os.getpid()) if attach else contextlib.nullcontext():
            return Outcome((Trial(spec, 1, (), 0.0, {"stacks": stacks}, failure),), is_interrupted=False)

    return run


def frames_in(recording: Recording) -> set[str]:
    assert recording.text is not None
    return {frame for line in recording.text.splitlines() for frame in line.rpartition(" ")[0].split(";")}


# --- the whole program -----------------------------------------------------------------------------------------------


def program(model: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synapse_perf", "profile-load", str(model), "--no-fit", "-r", "1", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env={**os.environ, "SYNAPSE_PERF_STATE_DIR": str(folder / "state")},
    )


@pytest.fixture(scope="module")
def drawn(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], ElementTree.Element]:
    """What the program told, its result, and the drawing."""
    needed()
    folder = tmp_path_factory.mktemp("drawn")
    done = program(model, folder, "--cache", "cold", "--flamegraph", "out.svg", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    return done, json.loads((folder / "r.json").read_text()), ElementTree.parse(folder / "out.svg").getroot()


def test_the_drawing_is_well_formed_and_shows_the_start(
    drawn: tuple[subprocess.CompletedProcess[str], dict[str, Any], ElementTree.Element],
) -> None:
    tooltips = [title.text or "" for title in drawn[2].iter(f"{SVG}title")]

    assert drawn[2].tag == f"{SVG}svg"
    assert any("low_level_api" in tooltip for tooltip in tooltips)
    assert tooltips[0].endswith("by py-spy")


def test_the_samples_and_what_they_are_worth_are_told_on_stderr(
    drawn: tuple[subprocess.CompletedProcess[str], dict[str, Any], ElementTree.Element],
) -> None:
    (told,) = [line for line in drawn[0].stderr.splitlines() if line.startswith("flame graph of ")]

    assert ", by py-spy: " in told
    assert "a share is good to ±" in told


def test_the_watched_start_is_not_among_the_measured_ones(
    drawn: tuple[subprocess.CompletedProcess[str], dict[str, Any], ElementTree.Element],
) -> None:
    assert {len(metric["trials"]) for metric in drawn[1]["metrics"]} == {1}


@pytest.mark.parametrize(
    ("path", "words"), [("out.png", "no flame graph has the format '.png'"), ("nowhere/out.svg", "nowhere")]
)
def test_a_file_that_could_not_be_written_is_refused_before_measuring(
    model: Path, tmp_path: Path, path: str, words: str
) -> None:
    done = program(model, tmp_path, "--flamegraph", path)

    assert done.returncode == 2
    assert words in done.stderr.splitlines()[0]
    assert done.stdout == ""


def test_a_dry_run_tells_of_the_extra_start_and_records_nothing(model: Path, tmp_path: Path) -> None:
    done = program(model, tmp_path, "--flamegraph", "out.svg", "--dry-run")

    assert "watched for the flame graph" in " ".join(done.stdout.split())
    assert not (tmp_path / "out.svg").exists()


# --- by py-spy -------------------------------------------------------------------------------------------------------


def test_speedscope_gets_a_profile_whose_parts_belong_together(model: Path, tmp_path: Path) -> None:
    needed()
    recording = record(watched_start(cases_of(model)), tmp_path / "out.json", Runner(tmp_path))

    assert recording.text is not None
    document = json.loads(recording.text)
    (profile,) = document["profiles"]
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert len(profile["samples"]) == len(profile["weights"])
    assert sum(profile["weights"]) == profile["endValue"]
    assert {index for stack in profile["samples"] for index in stack} == set(range(len(document["shared"]["frames"])))


def test_a_start_is_watched_once_where_py_spy_may(model: Path, tmp_path: Path) -> None:
    needed()
    run = Runner(tmp_path)

    recording = record(watched_start(cases_of(model)), tmp_path / "out.txt", run)

    assert run.finished == 1
    assert recording.warnings == ()


# --- from inside -----------------------------------------------------------------------------------------------------


def test_without_permission_the_worker_samples_itself_and_that_is_said(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyspy, "find_executable", lambda: refusing(tmp_path))

    recording = record(watched_start(cases_of(model)), tmp_path / "out.svg", Runner(tmp_path))

    assert recording.text is not None
    assert f"by {INSIDE}" in recording.text
    assert f"by {INSIDE}" in recording.told
    assert recording.warnings == (f"flame graph of tiny, warm, mmap: py-spy recorded nothing: {REFUSAL}",)


def test_a_worker_that_py_spy_may_not_look_into_is_not_even_let_go(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start may take minutes: one for nothing is one too many."""
    monkeypatch.setattr(pyspy, "find_executable", lambda: refusing(tmp_path))
    run = Runner(tmp_path)

    record(watched_start(cases_of(model)), tmp_path / "out.svg", run)

    assert run.finished == 1


@pytest.mark.usefixtures("no_py_spy")
def test_from_inside_the_load_and_the_import_are_seen(model: Path, tmp_path: Path) -> None:
    frames = frames_in(record(watched_start(cases_of(model)), tmp_path / "out.txt", Runner(tmp_path)))

    assert any(frame.startswith("low_level_api (loading.py:") for frame in frames)


# --- what is made of the stacks --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_py_spy")
def test_what_the_worker_does_after_the_first_token_is_left_out(model: Path) -> None:
    stacks = [
        "measure (profile_load.py:70);load_model (loading.py:9) 3",
        "measure (p.py:1);_sample (profile_load.py:9) 2",
    ]

    recording = record(watched_start(cases_of(model)), Path("out.txt"), with_stacks(stacks))

    assert recording.text == "measure (profile_load.py:70);load_model (loading.py:9) 3\n"
    assert ": 3 samples; fewer than 100 samples" in recording.told


@pytest.mark.usefixtures("no_py_spy")
def test_the_import_system_is_one_frame(model: Path) -> None:
    machinery = "_find_and_load (<frozen importlib._bootstrap>:1);_load_unlocked (<frozen importlib._bootstrap>:2)"

    recording = record(watched_start(cases_of(model)), Path("out.txt"), with_stacks([f"a;{machinery};b;{machinery} 1"]))

    assert recording.text == "a;import;b;import 1\n"


@pytest.mark.usefixtures("no_py_spy")
def test_a_watched_start_that_fails_is_a_warning(model: Path) -> None:
    recording = record(
        watched_start(cases_of(model)), Path("out.svg"), with_stacks([], Failure("crash", "the worker died"))
    )

    assert recording.text is None
    assert recording.warnings == (
        "there is no flame graph of tiny, warm, mmap: py-spy recorded nothing: py-spy is not installed; "
        "the worker died",
    )


@pytest.mark.usefixtures("no_py_spy")
def test_an_interrupt_ends_it_without_a_word(model: Path) -> None:
    assert record(
        watched_start(cases_of(model)), Path("out.svg"), lambda *_: Outcome((), is_interrupted=True)
    ) == Recording(is_interrupted=True)


def test_the_cold_start_of_the_first_model_is_watched(model: Path) -> None:
    assert watched_start(cases_of(model, "warm", "cold")).page_cache == "cold"
    assert watched_start(cases_of(model, "warm")).arm == "mmap"
