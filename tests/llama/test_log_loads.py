"""A log of several loads is cut where each begins."""

from __future__ import annotations

import pytest

from synapse_perf.llama.load_log import read_load, read_loads
from synapse_perf.llama.log_lines import LogLine, read_text
from synapse_perf.llama.log_loads import load_events, split_loads
from tests.llama.log_fixtures import NAMES, lines_of

ROUTER = """\
0.00.100.000 I srv    load_model: loading model '/models/a.gguf'
0.00.200.000 I llama_model_loader: loaded meta data with 3 key-value pairs and 2 tensors from /models/a.gguf (version GGUF V3)
0.00.300.000 I llama_prepare_model_devices: using device MTL0 (Apple M4) (unknown id) - 900 MiB free
0.00.400.000 I load: token to piece cache size = 0.1 MB
0.00.500.000 I load_tensors: loading model tensors, this can take a while... (load_mode = mmap)
0.00.600.000 I load_tensors:  MTL0_Mapped model buffer size =     4.00 MiB
0.00.700.000 I llama_context: constructing llama_context
0.00.800.000 I srv  update_slots: all slots are idle
0.09.000.000 I srv    load_model: loading model '/models/b.gguf'
0.09.100.000 I llama_model_loader: loaded meta data with 3 key-value pairs and 2 tensors from /models/b.gguf (version GGUF V3)
0.09.200.000 I load: token to piece cache size = 0.1 MB
0.09.300.000 I load_tensors:   CPU_Mapped model buffer size =     4.00 MiB
"""  # noqa: E501


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_lost_or_read_twice(name: str) -> None:
    lines = lines_of(name)
    assert [line for load in split_loads(lines) for line in load] == lines


@pytest.mark.parametrize("name", NAMES)
def test_a_log_of_one_process_has_one_load(name: str) -> None:
    assert len(split_loads(lines_of(name))) == (2 if name == "cuda-2024-b4343" else 1)


def test_a_router_loads_one_model_after_another() -> None:
    loads = split_loads(read_text(ROUTER))
    assert [load[0].text.partition("model: ")[2] for load in loads] == [
        "loading model '/models/a.gguf'",
        "loading model '/models/b.gguf'",
    ]


def test_the_device_of_the_first_load_is_not_taken_for_the_second() -> None:
    first, second = read_loads(read_text(ROUTER))
    assert (first.placement.used_device, second.placement.used_device) == ("metal", "cpu")
    assert [device.name for device in first.placement.devices] == ["MTL0"]
    assert second.placement.devices == ()


def test_a_restart_is_seen_by_its_clock() -> None:
    second = split_loads(lines_of("cuda-2024-b4343"))[1]
    assert second[0].text == "ggml_cuda_init: found 1 CUDA devices:"


def test_lines_a_little_out_of_order_are_no_restart() -> None:
    lines = lines_of("cpu-2026")
    swapped = [*lines[:-2], LogLine((lines[-2].time_ns or 0) - 5_000_000, 2, "late"), *lines[-2:]]
    assert len(split_loads(swapped)) == 1


def test_the_loads_that_llama_server_simulates_are_part_of_the_real_one() -> None:
    real = lines_of("cpu-2026")
    simulated = [
        LogLine(line.time_ns, line.level, line.text.replace("no_alloc              = 0", "no_alloc = 1"))
        for line in real
    ]
    (load,) = split_loads([*simulated, *real])
    assert sum(event.kind == "metadata_loaded" for event in load_events(load)) == 1
    assert sum(event.kind == "fit" for event in load_events(load)) > 50
    assert not read_load(real).simulated


def test_a_simulated_load_alone_is_read_as_one() -> None:
    lines = [
        LogLine(line.time_ns, line.level, line.text.replace("no_alloc              = 0", "no_alloc = 1"))
        for line in lines_of("cpu-2026")
    ]
    log = read_load(lines)
    assert log.simulated
    assert log.context.kv_bytes == 512 * 1024


def test_an_empty_log_is_one_empty_load() -> None:
    assert split_loads([]) == [[]]
