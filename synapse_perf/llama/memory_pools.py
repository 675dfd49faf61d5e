"""Does a context fit into each memory that a model lies in, and which is the largest that does?

A model on the CPU lies in main memory alone. One on a graphics card lies in that card's memory, with the rest in main
memory. On Apple Silicon everything lies in main memory, and what Metal uses of it has a limit of its own.
Named tuples, because a worker handles them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from synapse_perf.llama.memory_fit import CELL_STEP
from synapse_perf.samples import Json


class Plan(NamedTuple):
    """What a context takes beside the weights, in bytes; the compute buffers by device."""

    n_ctx: int
    kv_bytes: int
    compute: Mapping[str, int]

    @property
    def compute_bytes(self) -> int:
        return sum(self.compute.values())


class Pool(NamedTuple):
    """A memory with what the model may take of it (the margin left out), and which of its parts lie there.

    fixed_bytes: weights and other state that does not grow with the context; kv_share: of the KV cache. `devices` are
    those whose compute buffers lie here or, with `is_rest`, those whose do not.
    """

    name: str
    free_bytes: int
    margin_bytes: int
    fixed_bytes: int
    kv_share: float = 1.0
    devices: tuple[str, ...] = ()
    is_rest: bool = True

    def need_bytes(self, plan: Plan) -> int:
        compute = sum(size for device, size in plan.compute.items() if (device in self.devices) != self.is_rest)
        return self.fixed_bytes + round(plan.kv_bytes * self.kv_share) + compute

    def share(self, plan: Plan) -> float:
        """What the plan takes of the free bytes; above 1 it does not fit."""
        return self.need_bytes(plan) / self.free_bytes if self.free_bytes > 0 else float("inf")


def pools_to_workload(pools: Sequence[Pool]) -> list[Json]:
    return [pool._asdict() for pool in pools]


def pools_from_workload(workload: Sequence[Mapping[str, Json]]) -> tuple[Pool, ...]:
    return tuple(Pool(**{**entry, "devices": tuple(entry["devices"])}) for entry in workload)


def tightest(pools: Sequence[Pool], plan: Plan) -> Pool:
    """The memory that this plan fills most."""
    return max(pools, key=lambda pool: pool.share(plan))


def fits(pools: Sequence[Pool], plan: Plan, share: float = 1.0) -> bool:
    """Whether the plan takes at most this share of each memory's free bytes."""
    return all(pool.need_bytes(plan) <= share * pool.free_bytes for pool in pools)


def largest_fitting(
    plan_at: Callable[[int], Plan], pools: Sequence[Pool], longest: int, share: float = 1.0
) -> Plan | None:
    """The largest context up to `longest`, in steps of 256, that fits; None if none does."""
    low, high = 0, -(-longest // CELL_STEP)
    found = None
    while low < high:
        middle = (low + high + 1) // 2
        plan = plan_at(min(middle * CELL_STEP, longest))
        if fits(pools, plan, share):
            low, found = middle, plan
        else:
            high = middle - 1
    return found
