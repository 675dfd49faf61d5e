"""What lies where, and what is the most that fits?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.llama.memory_pools import (
    Plan,
    Pool,
    fits,
    largest_fitting,
    pools_from_workload,
    pools_to_workload,
    tightest,
)

GPU = Pool("CUDA0", 1000, 50, 400, kv_share=0.75, devices=("CUDA0",), is_rest=False)
MAIN = Pool("main memory", 2000, 100, 50, kv_share=0.25, devices=("CUDA0",))
PLAN = Plan(4096, 400, {"CUDA0": 100, "CUDA_Host": 30, "CPU": 5})


def test_a_gpu_holds_its_weights_its_share_of_the_cache_and_its_buffers() -> None:
    assert GPU.need_bytes(PLAN) == 400 + 300 + 100


def test_main_memory_holds_the_rest() -> None:
    assert MAIN.need_bytes(PLAN) == 50 + 100 + 35


def test_one_memory_for_all_counts_every_buffer() -> None:
    assert Pool("main memory", 0, 0, 50).need_bytes(PLAN) == 50 + 400 + 135


def test_a_plan_has_to_fit_everywhere() -> None:
    assert fits((MAIN, GPU), PLAN)
    assert not fits((MAIN, GPU._replace(free_bytes=799)), PLAN)
    assert not fits((MAIN, GPU), PLAN, share=0.79)


def test_the_tightest_memory_is_the_fullest() -> None:
    assert tightest((MAIN, GPU), PLAN) is GPU
    assert tightest((MAIN._replace(free_bytes=0), GPU), PLAN).name == "main memory"


def test_pools_survive_the_way_to_the_worker() -> None:
    assert pools_from_workload(pools_to_workload((MAIN, GPU))) == (MAIN, GPU)


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 40_000))
def test_the_largest_fits_and_the_next_one_does_not(free: int, per_token: int, longest: int) -> None:
    pool = Pool("main memory", free, 0, 1000)
    found = largest_fitting(lambda n_ctx: Plan(n_ctx, per_token * n_ctx, {"CPU": 500}), (pool,), longest)
    if found is None:
        assert 1500 + per_token * min(256, longest) > free
        return
    assert 1500 + per_token * found.n_ctx <= free
    assert found.n_ctx == longest or 1500 + per_token * min(found.n_ctx + 256, longest) > free
