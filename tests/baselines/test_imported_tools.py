"""Files that the other tools themselves have written become runs, in base units and with a direction."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synapse_perf import results
from synapse_perf.baselines.imported import read_run
from synapse_perf.baselines.imported_run import SAMPLES_AT_MOST, UNKNOWN_MACHINE, utc_time
from synapse_perf.cli import run
from synapse_perf.errors import InputError
from synapse_perf.model import Result

FILES = Path(__file__).with_name("imports")  # by the versions in their names, on this project's own machines
PYTEST = "pytest-benchmark-5.3.1.json"
LLAMA = "llama-bench-0.3.36.json"
HYPERFINE = "hyperfine-1.15.0.json"


def imported(name: str) -> Result:
    found = read_run(FILES / name)
    assert isinstance(found, Result)
    return found


def changed(tmp_path: Path, name: str, change: Callable[[Any], object]) -> Path:
    document = json.loads((FILES / name).read_text())
    change(document)
    path = tmp_path / name
    path.write_text(json.dumps(document))
    return path


def test_the_rounds_of_a_test_are_samples_of_one_process_in_seconds() -> None:
    found = imported(PYTEST)
    raw = json.loads((FILES / PYTEST).read_text())["benchmarks"]
    assert [metric.key for metric in found.metrics] == [f"benchmark_time{{test={each['fullname']}}}" for each in raw]
    assert [list(metric.trials[0].samples) for metric in found.metrics] == [each["stats"]["data"] for each in raw]
    assert {(metric.unit, metric.better, metric.summary.processes) for metric in found.metrics} == {("s", "lower", 1)}
    assert (found.benchmark, found.started_at) == ("pytest-benchmark", "2026-11-23T13:23:08.885Z")


def test_where_pytest_benchmark_ran_is_kept_without_names_and_wobbling() -> None:
    where = imported(PYTEST).environment
    assert {key: where.hardware_class[key] for key in ("architecture", "cpu_model", "cores", "noted_by")} == {
        "architecture": "x86_64",
        "cpu_model": "AMD EPYC",
        "cores": 2,
        "noted_by": "pytest-benchmark",
    }
    assert where.software_class["python"] == "CPython 3.11.7"
    assert where.git == {"revision": "5a0ccaa46a468ab0c44e3ae7b4bb29fa03b837b9", "dirty": True}
    text = results.dumps(imported(PYTEST))
    assert not any(word in text for word in ("<host>", "hz_actual", "master"))


def test_another_processor_is_another_class_and_another_clock_rate_is_not(tmp_path: Path) -> None:
    def digest(change: Callable[[Any], object]) -> object:
        return read_run(changed(tmp_path, PYTEST, change)).environment.hardware_class["digest"]  # type: ignore[union-attr]

    same = digest(lambda document: None)
    assert digest(lambda document: document["machine_info"]["cpu"].update(hz_actual=[1, 0])) == same
    assert digest(lambda document: document["machine_info"].update(node="elsewhere")) == same
    assert digest(lambda document: document["machine_info"]["cpu"].update(brand_raw="Another")) != same


def test_a_saved_file_without_rounds_gives_the_medians_and_says_so() -> None:
    found = imported("pytest-benchmark-5.3.1-saved.json")
    raw = json.loads((FILES / "pytest-benchmark-5.3.1-saved.json").read_text())["benchmarks"]
    assert [metric.trials[0].samples for metric in found.metrics] == [(each["stats"]["median"],) for each in raw]
    assert "no rounds" in found.warnings[0]


def test_more_rounds_than_a_result_holds_are_counted(tmp_path: Path) -> None:
    rounds = [1e-6] * (SAMPLES_AT_MOST + 5)
    path = changed(tmp_path, PYTEST, lambda document: document["benchmarks"][0]["stats"].update(data=rounds))
    found = read_run(path)
    assert isinstance(found, Result)
    assert (len(found.metrics[0].trials[0].samples), found.metrics[0].trials[0].dropped) == (SAMPLES_AT_MOST, 5)


def test_llama_bench_gives_rates_by_model_lengths_and_settings() -> None:
    found = imported(LLAMA)
    raw = json.loads((FILES / LLAMA).read_text())
    settings = "n_threads=2,type_k=f16,type_v=f16}"
    model = "model=embedded-fast-52dca72c48a4"
    assert [metric.key for metric in found.metrics][:4] == [
        f"prefill_rate{{{model},n_gpu_layers=-1,n_prompt=16,{settings}",
        f"decode_rate{{{model},n_gen=8,n_gpu_layers=-1,{settings}",
        f"token_rate{{{model},n_gen=4,n_gpu_layers=-1,n_prompt=16,{settings}",
        f"prefill_rate{{{model},n_depth=32,n_gpu_layers=-1,n_prompt=16,{settings}",
    ]
    assert {(metric.unit, metric.better) for metric in found.metrics} == {("1/s", "higher")}
    assert [list(metric.trials[0].samples) for metric in found.metrics] == [each["samples_ts"] for each in raw]
    assert found.started_at == "2026-11-23T13:23:13.000Z"
    assert found.environment.hardware_class["cpu_model"] == "AMD EPYC"
    assert found.workload["models"][0]["size_bytes"] == 28903424
    assert "/" not in results.dumps(found).replace("1/s", "")


def test_a_setting_that_tells_tests_apart_becomes_a_label(tmp_path: Path) -> None:
    found = read_run(changed(tmp_path, LLAMA, lambda document: document[0].update(n_batch=64)))
    assert isinstance(found, Result)
    assert found.metrics[0].labels["n_batch"] == "64"
    assert found.metrics[1].labels["n_batch"] == "2048"


def test_the_times_of_hyperfine_are_processes_and_its_machine_is_not_known() -> None:
    found = imported(HYPERFINE)
    raw = json.loads((FILES / HYPERFINE).read_text())["results"]
    assert next(metric.labels for metric in found.metrics) == {"command": "seq 1", "size": "1"}
    assert [[trial.samples[0] for trial in metric.trials] for metric in found.metrics] == [one["times"] for one in raw]
    assert found.environment.hardware_class == {}
    assert found.warnings == (UNKNOWN_MACHINE,)


def test_runs_of_which_nobody_knows_the_machine_are_labelled(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(FILES / HYPERFINE), str(FILES / HYPERFINE)]) == 3
    assert "hyperfine: nobody noted on which machine" in capsys.readouterr().out
    run(["compare", str(FILES / PYTEST), str(FILES / PYTEST)])
    assert "nobody noted" not in capsys.readouterr().out


def test_a_command_that_failed_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='"exit 3" ended with status 3 in 3 of 3 runs'):
        imported("hyperfine-1.15.0-failing.json")
    with pytest.raises(InputError, match='"seq 1" ended by a signal in 1 of 7 runs'):
        read_run(changed(tmp_path, HYPERFINE, lambda d: d["results"][0].update(exit_codes=[0, None])))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[]), "has no sample"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[float("nan")]), "that nothing can have: nan"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[float("inf")]), "that nothing can have: inf"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[10**400]), "that nothing can have: inf"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[-1e-9]), "that nothing can have: -1e-09"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=["1"]), 'that is no number: "1"'),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=[True]), "that is no number: true"),
        (PYTEST, lambda d: d["benchmarks"][1]["stats"].update(data=3), "not what it should be"),
        (PYTEST, lambda d: d["benchmarks"][1].pop("fullname"), 'has no "fullname"'),
        (PYTEST, lambda d: d["benchmarks"][1].pop("stats"), 'has no "stats"'),
        (PYTEST, lambda d: d.update(machine_info=[]), "not what it should be"),
        (LLAMA, lambda d: d[0].update(samples_ts=[]), "has no sample"),
        (LLAMA, lambda d: d[0].update(samples_ts=[None]), "that is no number: null"),
        (LLAMA, lambda d: d[0].pop("n_gen"), 'has no "n_gen"'),
        (HYPERFINE, lambda d: d["results"][0].update(times=[]), "has no sample"),
    ],
)
def test_what_is_no_measurement_is_refused_in_one_line(
    tmp_path: Path, name: str, change: Callable[[Any], object], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_run(changed(tmp_path, name, change))
    assert words in caught.value.message
    assert "looks like JSON of" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_of_a_run_without_benchmarks_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = changed(tmp_path, PYTEST, lambda document: document.update(benchmarks=[]))
    assert run(["gate", str(path)]) == 6


def test_an_imported_run_can_be_a_baseline_that_the_next_one_is_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def slower(document: Any) -> None:
        for each in document["benchmarks"]:
            each["stats"]["data"] = [value * 3 for value in each["stats"]["data"]]

    assert run(["baseline", "save", str(FILES / PYTEST)]) == 0
    assert run(["gate", str(changed(tmp_path, PYTEST, slower)), "--effect", "100%"]) == 1
    assert "3 regressed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ("2026-11-23T13:23:13Z", "2026-11-23T13:23:13.000Z"),
        ("2026-11-23T13:23:13", "2026-11-23T13:23:13.000Z"),
        ("2026-11-23T13:23:13.5+02:00", "2026-11-23T11:23:13.500Z"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_times_are_noted_in_utc(noted: object, told: str) -> None:
    assert utc_time(noted) == told
