"""profile-load --from-log tells what a log has of a load, and of what it does not have says so."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.cli import run
from synapse_perf.errors import ExitCode
from tests.llama.log_fixtures import FOLDER, NAMES

COMPLETE = ("cpu-2026", "metal-2025-b4464", "metal-2025-b4707", "metal-2026")


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def result(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded

    def metrics(self, name: str) -> dict[tuple[str, str], list[float]]:
        """Samples by model and phase."""
        return {
            (metric["labels"]["model"], metric["labels"].get("phase", "")): metric["trials"][0]["samples"]
            for metric in self.result["metrics"]
            if metric["name"] == name
        }

    def facts(self) -> dict[str, Any]:
        (metric,) = [one for one in self.result["metrics"] if one["name"] == "model_load_time"]
        return {name: values[0] for name, values in metric["trials"][0]["facts"].items()}


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(source: Path | str, *options: str, kind: str = "json") -> Told:
        code = run(["profile-load", "--from-log", str(source), "--format", kind, *options])
        captured = capsys.readouterr()
        return Told(code, captured.out, captured.err)

    return tell


def log(name: str) -> Path:
    return FOLDER / f"{name}.log"


@pytest.mark.parametrize("name", NAMES)
def test_every_log_becomes_a_saved_result_and_a_report(tell: Any, name: str) -> None:
    told = tell(log(name))
    assert told.result["benchmark"] == "profile-load"
    assert "saved as" in told.err

    shown = tell(log(name), kind="console").out
    assert f"{name}.log" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", COMPLETE)
def test_the_phases_of_the_load_add_up_to_it(tell: Any, name: str) -> None:
    told = tell(log(name))
    (load,) = told.metrics("model_load_time").values()

    of_the_load = ("metadata", "device_choice", "vocabulary", "tensors", "context")
    phases = {phase: samples[0] for (_, phase), samples in told.metrics("phase_time").items()}
    assert load[0] == pytest.approx(sum(phases.get(phase, 0.0) for phase in of_the_load))


def test_one_load_is_one_sample_without_an_interval(tell: Any) -> None:
    for metric in tell(log("metal-2026")).result["metrics"]:
        assert (metric["summary"]["count"], metric["summary"]["median"]) == (1, None)
        assert metric["labels"]["cache"] == "unknown"


def test_a_log_judges_no_target_and_says_why(tell: Any) -> None:
    told = tell(log("metal-2026"))

    (check,) = told.result["checks"]
    assert (check["target"], check["status"], check["observed"]) == ("model-startup-metal", "not-measured", None)
    assert "first token" in check["reason"]
    assert (told.code, told.result["verdict"]) == (ExitCode.PASS, "not-measured")


def test_the_limit_told_is_the_one_that_was_given(tell: Any) -> None:
    (check,) = tell(log("metal-2026"), "--target", "model-startup-metal<3s").result["checks"]

    assert check["limit"] == 3.0


def test_devices_and_buffers_are_those_of_the_log(tell: Any) -> None:
    told = tell(log("metal-2026"))

    assert told.facts()["buffer.MTL0.KV"] == 4608 * 1024**2
    assert told.facts()["device"] == "metal"
    assert told.result["environment"]["hardware_class"]["gpus"] == ["Apple M4 Pro"]


def test_nothing_of_this_machine_is_said_to_be_the_logs(tell: Any) -> None:
    environment = tell(log("metal-2026")).result["environment"]

    assert "cpu_model" not in environment["hardware_class"]
    assert (environment["volatile"], environment["git"]) == ({}, {})


def test_the_advice_speaks_of_the_model(tell: Any) -> None:
    findings = {finding["id"]: finding for finding in tell(log("metal-2026")).result["findings"]}

    assert {"shaders-compiled", "mlock-not-effective", "kv-cache-large", "metal-over-committed"} <= findings.keys()
    assert "longest-part" not in findings  # the shaders are the longest part, and have a finding of their own
    assert findings["shaders-compiled"]["cause"].startswith("qwen3-4b: ")


def test_the_longest_part_is_named_where_no_advice_speaks_of_it(tell: Any) -> None:
    (finding,) = tell(log("metal-2025-b4464")).result["findings"]

    assert finding["id"] == "longest-part"
    assert "warm-up" in finding["cause"]


# --- what a log lacks ------------------------------------------------------------------------------------------------


def test_without_times_sizes_devices_and_the_flag_that_gives_them(tell: Any) -> None:
    told = tell(log("rocm-early-2026"))

    assert told.metrics("phase_time") == {}
    assert told.metrics("model_load_time") == {("Granite-4.1-8B", ""): []}
    assert told.facts()["device"] == "rocm"
    assert any("--log-timestamps" in warning for warning in told.result["warnings"])
    assert "ROCm1" in tell(log("rocm-early-2026"), kind="console").out


def test_an_excerpt_tells_its_phases_but_no_load_time(tell: Any) -> None:
    told = tell(log("vulkan-early-2026-b9849"))

    assert told.metrics("phase_time")[("unnamed model", "fit")][0] == pytest.approx(10.335, abs=0.001)
    assert told.metrics("model_load_time") == {("unnamed model", ""): []}
    assert any("the time of metadata is in tensors" in warning for warning in told.result["warnings"])


def test_a_log_that_ends_early_tells_where_and_advises_nothing(tell: Any) -> None:
    told = tell(log("cuda-2024-b4343"))

    first, second = "ggml-model-q4_k", "ggml-model-q4_k #2"
    assert {model for model, _ in told.metrics("model_load_time")} == {first, second}
    assert told.metrics("model_load_time")[(second, "")] == []
    assert any(warning.startswith(f"{second}: the log ends before") for warning in told.result["warnings"])
    assert all(finding["evidence"]["model"] == first for finding in told.result["findings"])


def test_a_load_that_failed_is_a_failure_in_llama_cpps_words(tell: Any) -> None:
    told = tell(log("cuda-2026-out-of-memory"))

    (failure,) = told.result["failures"]
    assert (failure["kind"], failure["message"]) == ("out-of-memory", "cudaMalloc failed: out of memory")
    assert "smaller" in failure["remedy"]
    assert told.code == ExitCode.MEASUREMENT_FAILED


def test_errors_of_requests_are_no_failure_of_the_load(tell: Any, tmp_path: Path) -> None:
    later = "0.20.000.000 E srv  send_error: task id = 7, error: request (9000 tokens) exceeds the context size\n"
    path = tmp_path / "served.log"
    path.write_text(log("metal-2026").read_text() + later)

    told = tell(path)

    assert (told.code, told.result["failures"]) == (ExitCode.PASS, [])


def test_a_model_that_is_not_there_is_a_failure(tell: Any, tmp_path: Path) -> None:
    path = tmp_path / "failed.log"
    path.write_text(
        "0.00.010.000 I srv    load_model: loading model '/m/none.gguf'\n"
        "0.00.011.000 E gguf_init_from_file: failed to open GGUF file '/m/none.gguf'\n"
        "0.00.011.100 E llama_model_load: error loading model: llama_model_loader: failed to load model\n"
    )

    told = tell(path)

    assert told.code == ExitCode.MEASUREMENT_FAILED
    assert "failed to open GGUF file" in json.dumps(told.result["failures"])


def test_many_loads_stay_readable(tell: Any, tmp_path: Path) -> None:
    path = tmp_path / "restarts.log"
    path.write_text(log("metal-2025-b4707").read_text() * 6)

    shown = tell(path, kind="console").out

    assert "6 loads in restarts.log" in shown
    assert "The slowest 2 of 6 models" in shown


# --- where it is read from -------------------------------------------------------------------------------------------


def test_a_pipe_is_read(tell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log("metal-2026").read_bytes())))

    told = tell("-")

    assert told.result["workload"]["log"]["file"] == "stdin"
    assert ("qwen3-4b", "tensors") in told.metrics("phase_time")


def test_a_log_that_windows_redirected_is_read(tell: Any, tmp_path: Path) -> None:
    path = tmp_path / "utf16.log"
    path.write_bytes(log("metal-2026").read_text().replace("\n", "\r\n").encode("utf-16"))

    assert ("qwen3-4b", "tensors") in tell(path).metrics("phase_time")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"GGUF\x03\x00\x00\x00", "a GGUF model, not a log"),
        (gzip.compress(b"x", mtime=0), "compressed"),
        (b"\x7fELF\x00\x01", "binary, not a log"),
        (b"2026-11-23 nothing of interest\n" * 50, "no line of a model load"),
        (b"srv  llama_server: listening on http://127.0.0.1:8080\n", "no line of a model load"),
    ],
)
def test_what_is_no_log_of_a_load_is_one_line_and_a_remedy(
    tell: Any, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)

    told = tell(path)

    assert (told.code, told.out) == (ExitCode.USAGE, "")
    error, hint = told.err.strip().split("\n")
    assert words in error
    assert hint.startswith("hint: ")


def test_a_server_that_prints_no_load_lines_is_told_the_flag(tell: Any, tmp_path: Path) -> None:
    path = tmp_path / "quiet.log"
    path.write_text("srv  llama_server: model loaded\nsrv  update_slots: all slots are idle\n")

    assert "-lv 4" in tell(path).err


def test_what_cannot_be_read_is_one_line(tell: Any, tmp_path: Path) -> None:
    assert "no such file" in tell(tmp_path / "none.log").err
    assert "a directory, not a log" in tell(tmp_path).err


@pytest.mark.parametrize(
    "options", [("some-model",), ("-r", "3"), ("-ngl", "5"), ("--cache", "cold"), ("--flamegraph", "x.svg")]
)
def test_an_option_that_would_do_nothing_is_refused(tell: Any, options: tuple[str, ...]) -> None:
    told = tell(log("metal-2026"), *options)

    assert told.code == ExitCode.USAGE
    assert "--from-log loads nothing" in told.err


def test_a_dry_run_reads_and_tells_nothing_yet(tell: Any) -> None:
    told = tell(log("metal-2026"), "--dry-run")

    assert told.code == ExitCode.PASS
    assert told.result["kind"] == "plan"
