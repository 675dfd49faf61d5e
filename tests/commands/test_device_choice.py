"""--device, --rpc and -ngl from the command line: refused before measuring where wrong, told truly where right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.commands.device_choice import check_device
from synapse_perf.errors import InputError
from tests.llama import rpc_server
from tests.llama.starts import LAYERS, make


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("device-choice"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    if not rpc_server.has_rpc():
        pytest.skip("this llama.cpp was built without GGML_RPC")
    with rpc_server.running() as endpoint:
        yield endpoint


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synapse_perf", "profile-load", "--no-fit", "-q", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def told(model: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The result and the report of starts with all, four and no layers on the device."""
    folder = tmp_path_factory.mktemp("told")
    options = ("--rpc", endpoint, "--device", "RPC0", "-ngl", "-1,4,0", "--cache", "cold", "-r", "1")
    done = program(str(model), *options, "-o", str(folder / "r.json"), SYNAPSE_PERF_STATE_DIR=str(folder / "state"))
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "r.json").read_text()), done.stdout


def starts_of(result: dict[str, Any]) -> dict[str | None, dict[str, Any]]:
    """By variant, None for the reference."""
    starts = [metric for metric in result["metrics"] if metric["name"] == "model_startup_time"]
    return {start["labels"].get("variant"): start for start in starts}


def refused(device: str, rpc_servers: tuple[str, ...] = (), python: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        check_device(device, rpc_servers, python)
    return caught.value


def test_an_unknown_device_is_wrong_input_with_the_devices_there_are(model: Path, endpoint: str) -> None:
    done = program(str(model), "--device", "NOPE", "--rpc", endpoint)

    assert done.returncode == 2
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: --device NOPE: no GPU device is called 'NOPE'; this llama.cpp has ")
    assert error.endswith("CPU, RPC0")
    assert hint.startswith("hint: ")


def test_an_endpoint_of_another_form_is_refused() -> None:
    assert refused("auto", ("nonsense",)).message == "--rpc nonsense: not an endpoint"


def test_an_endpoint_that_nobody_serves_is_refused(endpoint: str) -> None:
    dead = f"127.0.0.1:{rpc_server.free_port()}"

    assert refused("auto", (dead,)).message.startswith(f"--rpc {dead}: no RPC server answers")


def test_a_device_of_a_server_is_one_that_there_is(endpoint: str) -> None:
    check_device("RPC0", (endpoint,), None)
    check_device("gpu", (endpoint,), None)


def test_the_cpu_and_llama_cpps_own_choice_are_not_asked_for() -> None:
    """Planted: an interpreter that could not answer."""
    check_device("cpu", (), "/nowhere/python3")
    check_device("auto", (), "/nowhere/python3")


def test_an_interpreter_that_cannot_answer_is_left_to_the_first_trial() -> None:
    check_device("CUDA0", (), "/nowhere/python3")


def test_the_row_of_another_device_is_judged_by_neither_limit(told: tuple[dict[str, Any], str]) -> None:
    checks = told[0]["checks"]

    reasons = {check["reason"] for check in checks if "device=rpc" in check["metric"]}
    assert reasons == {"ran on rpc: the table has limits for Metal and for the CPU only"}
    assert {check["status"] for check in checks} == {"not-measured"}


def test_each_of_a_list_of_layers_is_a_variant_with_the_device_that_it_used(told: tuple[dict[str, Any], str]) -> None:
    variants = {(variant, start["labels"]["device"]) for variant, start in starts_of(told[0]).items()}
    assert variants == {(None, "rpc"), ("n_gpu_layers=4", "rpc"), ("n_gpu_layers=0", "cpu")}


def test_the_report_says_how_many_layers_the_device_got(told: tuple[dict[str, Any], str]) -> None:
    assert f"{LAYERS + 1} of {LAYERS + 1} layers on rpc" in told[1]


def test_the_buffers_on_the_device_are_facts_of_the_start(told: tuple[dict[str, Any], str], endpoint: str) -> None:
    (size_bytes,) = starts_of(told[0])[None]["trials"][0]["facts"][f"buffer.RPC0[{endpoint}].model"]
    assert size_bytes > 0
