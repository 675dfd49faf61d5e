"""Logs of real loads tell which memories a model lies in, and what is free there."""

from __future__ import annotations

from synapse_perf.llama.load_log import LoadLog, read_loads
from synapse_perf.llama.memory_places import LEAST_MARGIN_BYTES, MARGIN_SHARE, memory_pools
from synapse_perf.llama.memory_pools import Plan
from synapse_perf.units import GIB, MIB
from tests.llama.log_fixtures import lines_of

FREE = 100 * GIB


def load(name: str) -> LoadLog:
    return read_loads(lines_of(name))[0]


def mib(value: float) -> int:
    return round(value * MIB)


def test_without_a_log_all_of_the_file_lies_in_main_memory() -> None:
    (pool,) = memory_pools(None, 5 * GIB, FREE)
    assert (pool.fixed_bytes, pool.kv_share) == (5 * GIB, 1.0)


def test_a_margin_is_left_to_others() -> None:
    (large,), (small,) = memory_pools(None, 0, FREE), memory_pools(None, 0, GIB)
    assert large.free_bytes == FREE - large.margin_bytes
    assert large.margin_bytes == round(FREE * MARGIN_SHARE)
    assert small.margin_bytes == LEAST_MARGIN_BYTES


def test_metal_takes_its_part_of_main_memory_up_to_its_own_limit() -> None:
    main, metal = memory_pools(load("metal-2026"), mib(2375.91), FREE)
    assert (metal.name, metal.free_bytes + metal.margin_bytes) == ("MTL0", 16384 * MIB)
    assert metal.fixed_bytes == mib(2375.91)
    plan = Plan(32768, mib(4608), {"MTL0": mib(301.75), "CPU": mib(74.01)})
    assert metal.need_bytes(plan) == mib(2375.91) + mib(4608) + mib(301.75)
    assert main.need_bytes(plan) == mib(2375.91) + mib(4608) + mib(301.75) + mib(74.01)


def test_a_graphics_card_leaves_its_part_out_of_main_memory() -> None:
    main, card = memory_pools(load("rocm-early-2026"), 11 * GIB, FREE)
    assert (card.name, card.devices, card.fixed_bytes) == ("ROCm1", ("ROCm1",), mib(9938.39))
    assert (main.fixed_bytes, main.kv_share, card.kv_share) == (mib(784), 0.0, 1.0)
    plan = Plan(4096, mib(4920), {"ROCm1": mib(204), "ROCm_Host": mib(77.51)})
    assert main.need_bytes(plan) == mib(784) + mib(77.51)


def test_a_partial_offload_shares_the_cache_as_the_load_did() -> None:
    main, card = memory_pools(load("vulkan-early-2026-b9849"), 8 * GIB, FREE)
    assert round(card.kv_share, 3) == round(160 / 256, 3)
    assert round(main.kv_share, 3) == round(96 / 256, 3)
    assert card.fixed_bytes == mib(3393.11) + mib(29.31)  # with the recurrent state
    assert main.fixed_bytes == mib(2286.14) + mib(20.94)


def test_mapped_regions_of_one_file_are_not_counted_beyond_its_size() -> None:
    main, _ = memory_pools(load("vulkan-early-2026-b9849"), GIB, FREE)
    assert main.fixed_bytes == GIB + mib(20.94)
