"""Which device llama.cpp uses: the choice by name, and the real path to a GPU, which an RPC server stands in for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from synapse_perf.llama.devices import Device, UnknownDeviceError, add_rpc_server, choose, list_devices
from synapse_perf.llama.loading import low_level_api
from synapse_perf.model import Trial
from tests.llama import rpc_server
from tests.llama.starts import LAYERS, device_of, facts_of, log_of, make, start

CPU = Device("CPU", "a processor", False, 1, 2, 10)
METAL = Device("MTL0", "Apple M4", True, 1, 2, 11)
CUDA = Device("CUDA0", "a card", True, 1, 2, 12)


class LibraryWithoutRpc:
    """What ggml always has, and nothing of RPC."""

    def __getattr__(self, name: str) -> SimpleNamespace:
        if "rpc" in name:
            raise AttributeError(name)
        return SimpleNamespace()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("devices"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    if not rpc_server.has_rpc():
        pytest.skip("this llama.cpp was built without GGML_RPC")
    with rpc_server.running(devices=2) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def offloaded(model: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """All layers to one device that is called by its name."""
    folder = tmp_path_factory.mktemp("offloaded")
    return start(model, folder, device="rpc1", n_gpu_layers=-1, rpc_servers=(endpoint,))


# --- the choice ------------------------------------------------------------------------------------------------------


def test_auto_leaves_the_choice_to_llama_cpp() -> None:
    assert choose([CPU, METAL], "auto") is None


def test_gpu_leaves_the_choice_among_them_to_llama_cpp_which_knows_doubles() -> None:
    assert choose([CPU, CUDA], "gpu") is None


def test_cpu_forbids_every_gpu() -> None:
    assert choose([CPU, CUDA], "CPU") == []


def test_a_device_is_found_by_its_name_in_any_case() -> None:
    assert choose([CPU, METAL, CUDA], "mtl0") == [METAL]


def test_several_devices_can_be_named() -> None:
    assert choose([CPU, METAL, CUDA], "CUDA0, MTL0") == [CUDA, METAL]


def test_gpu_where_there_is_none_lists_what_there_is() -> None:
    with pytest.raises(UnknownDeviceError, match="no GPU device; it has CPU"):
        choose([CPU], "gpu")


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownDeviceError, match=r"'NOPE'; this llama\.cpp has CPU, MTL0"):
        choose([CPU, METAL], "NOPE")


def test_the_processor_itself_is_listed_and_is_no_gpu() -> None:
    devices = {device.name: device for device in list_devices(low_level_api())}

    assert not devices["CPU"].is_gpu
    assert devices["CPU"].total_bytes > 0


def test_an_endpoint_that_nobody_serves_is_an_error_and_no_abort() -> None:
    """llama.cpp itself ends the whole process here."""
    if not rpc_server.has_rpc():
        pytest.skip("this llama.cpp was built without GGML_RPC")
    with pytest.raises(UnknownDeviceError, match=r"no RPC server answers at 127\.0\.0\.1"):
        add_rpc_server(low_level_api(), f"127.0.0.1:{rpc_server.free_port()}")


def test_a_build_without_rpc_says_so() -> None:
    with pytest.raises(UnknownDeviceError, match="built without RPC"):
        add_rpc_server(SimpleNamespace(_lib=LibraryWithoutRpc()), "127.0.0.1:50052")


# --- offload, through the worker -------------------------------------------------------------------------------------


def test_all_layers_go_to_the_device_by_llama_cpps_own_log(offloaded: Trial, endpoint: str) -> None:
    log = str(offloaded.facts["log"])

    assert f"offloaded {LAYERS + 1}/{LAYERS + 1} layers to GPU" in log
    assert f"RPC1[{endpoint}] model buffer size" in log


def test_only_the_named_device_is_used(offloaded: Trial, endpoint: str) -> None:
    assert [device.name for device in log_of(offloaded).placement.devices] == ["RPC1"]


def test_the_device_used_labels_the_start(offloaded: Trial) -> None:
    assert device_of(offloaded) == "rpc"
    assert facts_of(offloaded)["layers_offloaded"] == LAYERS + 1


def test_a_part_of_the_layers_is_told_as_a_part(model: Path, endpoint: str, tmp_path: Path) -> None:
    trial = start(model, tmp_path, device="RPC0", n_gpu_layers=4, rpc_servers=(endpoint,))

    facts = facts_of(trial)
    assert (facts["layers_offloaded"], facts["layers"]) == (4, LAYERS + 1)
    assert log_of(trial).placement.is_partial
    assert device_of(trial) == "rpc"


def test_gpu_takes_every_one_there_is(model: Path, endpoint: str, tmp_path: Path) -> None:
    trial = start(model, tmp_path, device="gpu", n_gpu_layers=-1, rpc_servers=(endpoint,))

    assert {device.name for device in log_of(trial).placement.devices} >= {"RPC0", "RPC1"}


def test_auto_uses_a_device_that_is_there(model: Path, endpoint: str, tmp_path: Path) -> None:
    trial = start(model, tmp_path, device="auto", n_gpu_layers=99, rpc_servers=(endpoint,))

    assert device_of(trial) != "cpu"
    assert facts_of(trial)["layers_offloaded"] == LAYERS + 1


def test_cpu_uses_no_device_although_layers_are_asked_for(model: Path, endpoint: str, tmp_path: Path) -> None:
    trial = start(model, tmp_path, device="cpu", n_gpu_layers=99, rpc_servers=(endpoint,))

    assert device_of(trial) == "cpu"
    assert facts_of(trial)["layers_offloaded"] == 0
    assert "RPC" not in str(trial.facts["log"])


def test_no_layers_stay_on_the_cpu_beside_a_device(model: Path, endpoint: str, tmp_path: Path) -> None:
    trial = start(model, tmp_path, device="gpu", n_gpu_layers=0, rpc_servers=(endpoint,))

    assert device_of(trial) == "cpu"


def test_an_unknown_device_fails_in_one_line_that_lists_them(model: Path, endpoint: str, tmp_path: Path) -> None:
    failure = start(model, tmp_path, device="NOPE", rpc_servers=(endpoint,)).failure

    assert failure is not None
    assert failure.message.startswith("no GPU device is called 'NOPE'; this llama.cpp has ")
    assert failure.message.endswith("CPU, RPC0, RPC1")
