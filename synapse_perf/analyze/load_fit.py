"""Does a model with its context fit into the memory here, which context is the largest that does, and is that true?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.memory_pools import Plan, Pool, fits, tightest
from synapse_perf.model import Finding, Json, Severity
from synapse_perf.units import MIB, format_bytes, format_percent

CROWDED = 0.9  # of the free memory: beyond it the next program that wants some takes it from the model
ROUNDING_BYTES = 0.03 * MIB  # llama.cpp prints 0.01 MiB, and each figure is put together from a few
PLANNED = "planned by llama.cpp without allocating"
ESTIMATED = "estimated from the file's header and the compute buffers of a measured start"


@dataclass(frozen=True, slots=True)
class LoadedCheck:
    """What a real load of the context took by its own log, or why there was none."""

    n_ctx: int
    kv_bytes: int | None
    compute_bytes: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Everything that is known about one model's need of memory; plans are ordered by context."""

    model: str
    asked: Plan
    plans: tuple[Plan, ...]
    largest: Plan | None  # of those up to the trained context
    trained: int
    pools: tuple[Pool, ...]
    how: str = PLANNED
    checked: LoadedCheck | None = None

    @property
    def tightest(self) -> Pool:
        return tightest(self.pools, self.asked)

    @property
    def bytes_per_1000_tokens(self) -> float | None:
        """KV cache and compute buffers, from the shortest to the longest context that was looked at."""
        first, last = self.plans[0], self.plans[-1]
        if last.n_ctx == first.n_ctx:
            return None
        grown = last.kv_bytes + last.compute_bytes - first.kv_bytes - first.compute_bytes
        return max(grown, 0) / (last.n_ctx - first.n_ctx) * 1000

    def planned(self, n_ctx: int) -> Plan | None:
        return next((plan for plan in self.plans if plan.n_ctx == n_ctx), None)


def fit_finding(fit: Fit) -> Finding:
    """The answer for one model: high where what was asked does not fit or leaves too little free."""
    pool, asked = fit.tightest, fit.asked
    need = pool.need_bytes(asked)
    share = need / pool.free_bytes if pool.free_bytes else None
    is_crowded = not fits(fit.pools, asked, CROWDED)
    severity: Severity = "high" if is_crowded or _is_refuted(fit) else "info"
    parts = (
        f"weights {format_bytes(pool.fixed_bytes)}, KV cache {format_bytes(round(asked.kv_bytes * pool.kv_share))}, "
        f"compute {format_bytes(need - pool.fixed_bytes - round(asked.kv_bytes * pool.kv_share))}"
    )
    room = f"the {format_bytes(pool.free_bytes)} that are free in {pool.name}"
    if not fits(fit.pools, asked):
        told = f"does not fit at a context of {asked.n_ctx}: it needs {format_bytes(need)} ({parts}), more than {room}"
    else:
        told = f"fits at a context of {asked.n_ctx}: {format_bytes(need)} ({parts})"
        told += f", {format_percent(share or 0.0)} of {room}"
    change, check, alert = _advice(fit, is_crowded)
    cause = f"{fit.model}: {told}; {_reach(fit)}{_told_check(fit)}"
    return Finding("memory-fit", severity, cause, _evidence(fit), None, change, check, alert)


def together_finding(found: Sequence[Fit]) -> Finding | None:
    """All models at once, as an engine keeps them; None for one, or where they do not all lie in main memory alone."""
    if len(found) < 2 or any(len(fit.pools) > 1 for fit in found):
        return None
    free = min(fit.pools[0].free_bytes for fit in found)
    needs = {fit.model: fit.pools[0].need_bytes(fit.asked) for fit in found}
    need = sum(needs.values())
    verb = "fit" if need <= free else "do not fit"
    share = f", {format_percent(need / free)}" if free else ""
    cause = f"all {len(found)} models at once {verb}: {format_bytes(need)} of {format_bytes(free)} free{share}"
    evidence: dict[str, Json] = {"need_bytes": needs, "together_bytes": need, "free_bytes": free}
    severity: Severity = "medium" if need > CROWDED * free else "info"
    change = "keep fewer of them loaded, or choose smaller contexts" if need > CROWDED * free else ""
    return Finding("memory-fit-together", severity, cause, evidence, None, change, "", "")


def matches(planned: int, loaded: int | None) -> bool:
    """Whether both logs say the same, but for the digits that they leave out."""
    return loaded is not None and abs(planned - loaded) <= ROUNDING_BYTES


def _is_refuted(fit: Fit) -> bool:
    """Whether the real load failed, or took more than was computed."""
    checked = fit.checked
    if checked is None:
        return False
    plan = fit.planned(checked.n_ctx)
    real = (checked.kv_bytes or 0) + (checked.compute_bytes or 0)
    return bool(checked.problem) or (plan is not None and real > plan.kv_bytes + plan.compute_bytes + ROUNDING_BYTES)


def _reach(fit: Fit) -> str:
    if fit.largest is None:
        return "no context fits"
    if fit.largest.n_ctx >= fit.trained:
        return f"the whole trained context of {fit.trained} fits"
    return f"the largest context that fits is {fit.largest.n_ctx} of {fit.trained} trained"


def _told_check(fit: Fit) -> str:
    checked = fit.checked
    if checked is None:
        return ""
    if checked.problem:
        return f"; but loading it with a context of {checked.n_ctx} failed: {checked.problem}"
    plan = fit.planned(checked.n_ctx)
    if plan is None:
        return ""
    if matches(plan.kv_bytes, checked.kv_bytes) and matches(plan.compute_bytes, checked.compute_bytes):
        return f"; a load with a context of {checked.n_ctx} took what was computed"
    real = (checked.kv_bytes or 0) + (checked.compute_bytes or 0)
    computed = plan.kv_bytes + plan.compute_bytes
    return (
        f"; a load with a context of {checked.n_ctx} took {format_bytes(real)} for KV cache and compute instead of the "
        f"{format_bytes(computed)} computed"
    )


def _evidence(fit: Fit) -> dict[str, Json]:
    pool, checked = fit.tightest, fit.checked
    evidence: dict[str, Json] = {
        "model": fit.model,
        "memory": pool.name,
        "n_ctx": fit.asked.n_ctx,
        "weights_bytes": pool.fixed_bytes,
        "kv_bytes": fit.asked.kv_bytes,
        "compute_bytes": fit.asked.compute_bytes,
        "need_bytes": pool.need_bytes(fit.asked),
        "free_bytes": pool.free_bytes,
        "margin_bytes": pool.margin_bytes,
        "largest_context": fit.largest.n_ctx if fit.largest else None,
        "trained_context": fit.trained,
        "trained_context_fits": fit.largest is not None and fit.largest.n_ctx >= fit.trained,
        "per_1000_tokens_bytes": fit.bytes_per_1000_tokens,
        "how": fit.how,
        "checked_by_loading": checked is not None and not checked.problem,
    }
    if checked is not None:
        plan = fit.planned(checked.n_ctx)
        evidence["checked_context"] = checked.n_ctx
        evidence["kv_computed_and_loaded_bytes"] = [plan.kv_bytes if plan else None, checked.kv_bytes]
        evidence["compute_computed_and_loaded_bytes"] = [plan.compute_bytes if plan else None, checked.compute_bytes]
    return evidence


def _advice(fit: Fit, is_crowded: bool) -> tuple[str, str, str]:
    check = "the lines 'KV cache' size and 'compute buffer size' of the next load's log"
    alert = f"free bytes in {fit.tightest.name} below {format_bytes(fit.tightest.margin_bytes)}"
    if not is_crowded:
        return "", check, alert
    if fit.largest is None:
        return "a smaller model or quantisation, or more memory: no context makes this one fit", check, alert
    smaller = min(fit.largest.n_ctx, fit.asked.n_ctx // 2)
    return (
        f"Llama(n_ctx={smaller}) or Llama(type_k=8, type_v=8, flash_attn=True); "
        f"llama-server: -c {smaller} or -ctk q8_0 -ctv q8_0 -fa on",
        check,
        alert,
    )
