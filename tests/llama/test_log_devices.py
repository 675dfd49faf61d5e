"""The device is the one that got the weights, whatever llama.cpp says of layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.llama.load_log import read_load, read_loads
from synapse_perf.llama.log_devices import device_family
from synapse_perf.llama.log_lines import LogLine, join_fragments
from synapse_perf.units import MIB
from tests.llama.log_fixtures import lines_of
from tests.llama.small_models import Shape, capture, write_model


def used(*words: str) -> str | None:
    return read_load([LogLine(None, None, text) for text in words]).placement.used_device


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("CPU", "cpu"),
        ("CPU_REPACK", "cpu"),
        ("CUDA_Host", "cpu"),
        ("Vulkan_Host", "cpu"),
        ("MTL0", "metal"),
        ("Metal", "metal"),
        ("CUDA0", "cuda"),
        ("ROCm1", "rocm"),
        ("Vulkan0", "vulkan"),
        ("SYCL0", "sycl"),
        ("RPC0[127.0.0.1:50052]", "rpc"),
        ("RPC[127.0.0.1:50053]", "rpc"),
    ],
)
def test_the_family_of_a_buffer(name: str, family: str) -> None:
    assert device_family(name) == family


@pytest.mark.parametrize(
    ("name", "device", "offloaded"),
    [
        ("cuda-2024-b2296", "cuda", 33),
        ("metal-2024-b2296", "metal", 13),
        ("metal-2025-b4707", "metal", 13),
        ("rocm-early-2026", "rocm", 41),
        ("vulkan-early-2026-b9849", "vulkan", 20),
        ("metal-2026", "metal", 37),
        ("cpu-2026", "cpu", 0),
    ],
)
def test_the_used_device_of_a_log(name: str, device: str, offloaded: int) -> None:
    placement = read_loads(lines_of(name))[0].placement
    assert (placement.used_device, placement.layers_offloaded) == (device, offloaded)


def test_layers_offloaded_to_nowhere_are_on_the_cpu() -> None:
    """A build with RPC says 'offloaded 3/3 layers to GPU' on a machine without any device."""
    placement = read_load(lines_of("cpu-2026")).placement
    assert placement.layers_claimed == (3, 3)
    assert placement.used_device == "cpu"
    assert not placement.is_partial


def test_a_mac_without_offload_is_cpu() -> None:
    device = "x: using device MTL0 (Apple M4) (unknown id) - 10922 MiB free"
    weights = "load_tensors:   CPU_Mapped model buffer size =   871.83 MiB"
    compute = "sched_reserve:       MTL0 compute buffer size =   102.25 MiB"
    assert used(device, "load_tensors: offloaded 0/25 layers to GPU", weights, compute) == "cpu"


def test_weights_pinned_for_a_gpu_are_still_on_the_cpu() -> None:
    assert used("load_tensors:    CUDA_Host model buffer size =   784.00 MiB") == "cpu"


def test_without_buffer_lines_layers_count_together_with_a_device() -> None:
    layers = "load_tensors: offloaded 25/25 layers to GPU"
    assert used("x: using device CUDA0 (V100) - 15841 MiB free", layers) == "cuda"
    assert used(layers) is None


def test_a_partial_offload_is_seen() -> None:
    placement = read_load(lines_of("vulkan-early-2026-b9849")).placement
    assert placement.is_partial
    assert placement.buffer_bytes("model", "cpu") == round(2286.14 * MIB)


def test_mapped_buffers_are_told_and_folded_into_their_device() -> None:
    placement = read_load(lines_of("metal-2026")).placement
    weights = [buffer for buffer in placement.buffers if buffer.kind == "model"]
    assert [(buffer.device, buffer.mapped) for buffer in weights] == [("CPU", True), ("MTL0", True)]


def test_a_live_load_on_this_machine_is_placed(tmp_path: Path) -> None:
    taken = capture(write_model(tmp_path / "small.gguf", Shape()), load_mode=0, n_gpu_layers=0)
    placement = read_load(join_fragments(taken.fragments)).placement
    assert placement.used_device == "cpu"
    assert [buffer.mapped for buffer in placement.buffers if buffer.kind == "model"] == [False]
