"""Results as the commands make them, for looking at and for the golden texts; no number here was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.model import (
    Check,
    CheckStatus,
    Comparison,
    Environment,
    Fact,
    Failure,
    Finding,
    Gain,
    Interval,
    Labels,
    Metric,
    Result,
    Subject,
    Summary,
    TrialRecord,
)

MIB = 1024**2
GIB = 1024**3
SPREAD = (0.97, 0.99, 0.995, 1.005, 1.02, 1.06)

COLD_PHASES = {
    "interpreter": 0.0412,
    "import": 0.688,
    "backend": 0.0011,
    "metadata": 0.0871,
    "vocabulary": 0.412,
    "tensors": 1.94,
    "context": 0.151,
    "context.kv_cache": 0.094,
    "context.compute": 0.0482,
    "first_token": 0.288,
    "residual": 0.0213,
}

MLOCK_FAILED: dict[str, Fact] = {
    "load_mode_effective": False,
    "load_mode_problem": "mlock failed: Cannot allocate memory",
}

ENVIRONMENT = Environment(
    hardware_class={
        "digest": "sha256:4d1f",
        "architecture": "x86_64",
        "cpu_model": "AMD Ryzen 7 7840U",
        "cpu_identity": "25.116",
        "virtualised": False,
        "usable_cores": 8,
        "memory_gib_pow2": 32,
        "gpus": [],
    },
    software_class={"digest": "sha256:77aa", "python": "3.11.7", "llama_cpp_python": "0.3.36"},
    volatile={"load": 0.4},
    git={"revision": "3f9c2d1a77b0c1d4", "branch": "main", "dirty": False},
)


def bound(model: str, tensors_s: float, total_s: float) -> Finding:
    return Finding(
        id="bound",
        severity="high",
        cause=f"{model}: reading the file holds the start back, {tensors_s:.2f} s of {total_s:.2f} s, "
        "at 92 % of what this disk gives",
        evidence={"tensors_s": tensors_s, "floor_s": tensors_s * 0.92, "efficiency_share": 0.92},
        gain=Gain(tensors_s * 0.9, tensors_s * 0.87, tensors_s * 0.93, "s", True),
        change="Keep the file in the page cache: read it once before the start, as\n"
        f"  cat {model}.gguf > /dev/null\nor keep the server running between requests.",
        check=f"model_startup_time{{cache=warm}} below {total_s - 0.8 * tensors_s:.1f} s",
        alert=f"model_startup_time_seconds > {total_s * 1.1:.1f} for 3 starts",
    )


BEST_MODE = Finding(
    id="best-load-mode",
    severity="medium",
    cause="load_mode=read starts 0.41 s sooner than mmap when cold; mmap and mlock cannot be told apart",
    evidence={"pairs": 8, "model": "qwen3-4b", "cache": "cold"},
    gain=Gain(0.41, 0.22, 0.57, "s", True),
    change="Llama(use_mmap=False)\nllama-server --no-mmap",
    check="synapse-perf profile-load qwen3-4b --load-mode mmap,read",
    alert="",
)
FIT = Finding(
    id="memory-fit",
    severity="info",
    cause="The model fits: 3.11 GiB of 21.4 GiB free; the largest context that fits is 131072 tokens",
    evidence={
        "weights_bytes": 2.33 * GIB,
        "kv_bytes": 576 * MIB,
        "compute_bytes": 301 * MIB,
        "checked_by_loading": True,
    },
    gain=None,
    change="",
    check="",
    alert="",
)


def summary(samples: tuple[float, ...]) -> Summary:
    """As the analysis would: no median below 6 samples."""
    if len(samples) < 6:
        return Summary(len(samples), len(samples), None, None, None, None, None)
    return Summary(
        count=len(samples),
        processes=len(samples),
        median=round(statistics.median(samples), 9),
        p90=None,
        p95=None,
        p99=None,
        interval=Interval("median", min(samples), max(samples), 0.95),
    )


def metric(
    name: str,
    labels: Labels,
    center: float,
    *,
    unit: str = "s",
    count: int = 6,
    arm: str = "mmap",
    facts: Mapping[str, Fact] | None = None,
) -> Metric:
    samples = tuple(round(center * SPREAD[i % len(SPREAD)], 9) for i in range(count))
    trials = tuple(
        TrialRecord(arm, i + 1, (sample,), {name: (value,) for name, value in (facts or {}).items()})
        for i, sample in enumerate(samples)
    )
    return Metric(name, labels, unit, "lower", trials, summary(samples))


def startup_facts(size_bytes: float, *, cold: bool, device: str = "CPU") -> dict[str, Fact]:
    return {
        "resident_before": 0.0 if cold else 1.0,
        "read_bytes": size_bytes if cold else 0,
        "cold_proven": cold,
        "on_cpu_s": 1.24,
        "blocked_s": 1.71 if cold else 0.02,
        "run_queue_s": 0.048,
        "major_faults": 12 if cold else 0,
        "minor_faults": 18400,
        "rss_anonymous_bytes": 912 * MIB,
        "rss_file_bytes": size_bytes,
        f"buffer.{device}.model": size_bytes,
        f"buffer.{device}.KV": 576 * MIB,
        f"buffer.{device}.compute": 301 * MIB,
        f"buffer.{device}.output": 1 * MIB,
        **(phase_facts("import", 0.45, 0.21, 0) | phase_facts("vocabulary", 0.4, 0.001, 0)),
        **(phase_facts("tensors", 0.31, 1.61, size_bytes) if cold else phase_facts("tensors", 0.17, 0.001, 0)),
        **phase_facts("first_token", 0.28, 0.0, 0),
    }


def phase_facts(phase: str, on_cpu_s: float, blocked_s: float, read_bytes: float) -> dict[str, Fact]:
    return {
        f"{phase}.on_cpu_s": on_cpu_s,
        f"{phase}.run_queue_s": 0.012,
        f"{phase}.blocked_s": blocked_s,
        f"{phase}.read_bytes": read_bytes,
        f"{phase}.minor_faults": 4100,
        f"{phase}.major_faults": 3 if read_bytes else 0,
    }


def run_metrics(
    model: str,
    cache: str,
    *,
    scale: float = 1.0,
    device: str = "cpu",
    variant: str = "",
    count: int = 6,
    arm: str = "mmap",
    facts: Mapping[str, Fact] | None = None,
    with_floor: bool = True,
) -> tuple[Metric, ...]:
    """Everything that one arm of profile-load gives; warm reads the tensors a tenth as long."""
    labels = {"model": model, "cache": cache, "device": device, **({"variant": variant} if variant else {})}
    phases = {name: seconds * scale for name, seconds in COLD_PHASES.items()}
    if cache == "warm":
        phases["tensors"] /= 10
    if device == "metal":
        phases["backend"] += 7.35
        phases["backend.shaders"] = 7.35
    total = sum(seconds for name, seconds in phases.items() if "." not in name)
    size_bytes = round(2.33 * GIB * scale)
    known = startup_facts(size_bytes, cold=cache == "cold", device="MTL0" if device == "metal" else "CPU")
    load = total - phases["interpreter"] - phases["import"] - phases["first_token"]
    metrics = [
        metric("model_startup_time", labels, total, count=count, arm=arm, facts={**known, **(facts or {})}),
        metric("model_load_time", labels, load, count=count, arm=arm),
        *(
            metric("phase_time", {**labels, "phase": name}, seconds, count=count, arm=arm)
            for name, seconds in phases.items()
        ),
        metric("peak_rss", labels, size_bytes + 912 * MIB, unit="B", count=count, arm=arm),
    ]
    if with_floor and not variant:
        floor = phases["tensors"] * 0.92
        metrics.append(metric("phase_time", {"model": model, "cache": cache, "phase": "floor"}, floor, arm="floor"))
    return tuple(metrics)


def startup_check(metrics: tuple[Metric, ...], target: str, limit: float, status: CheckStatus, reason: str) -> Check:
    startup = metrics[0]
    return Check(target, startup.key, "median", limit, "s", startup.summary.median, status, reason)


def _models(metrics: tuple[Metric, ...]) -> dict[str, object]:
    settings: dict[str, object] = {"n_ctx": 4096, "n_threads": 8, "n_gpu_layers": 0, "lora": None, "rpc_servers": []}
    names = dict.fromkeys(one.labels["model"] for one in metrics if "model" in one.labels and "device" in one.labels)
    entry = {
        "size_bytes": 2.33 * GIB,
        "description": "qwen3 4.0B Q4_K_M",
        "digest": "sha256:00aa",
        "settings": settings,
    }
    return dict.fromkeys(names, entry)


def result(
    *,
    metrics: tuple[Metric, ...] = (),
    checks: tuple[Check, ...] = (),
    findings: tuple[Finding, ...] = (),
    verdict: CheckStatus = "not-measured",
    subject: Subject = "real",
    comparisons: tuple[Comparison, ...] = (),
    warnings: tuple[str, ...] = (),
    failures: tuple[Failure, ...] = (),
    profile: str = "found on this machine",
) -> Result:
    return Result(
        benchmark="profile-load",
        subject=subject,
        profile=profile,
        started_at="2026-11-23T10:15:30.123Z",
        duration_s=81.4,
        workload={"models": _models(metrics), "digest": "sha256:00ff"},
        plan={"trials_at_least": 6, "max_time_s": 300.0, "confidence": 0.95, "seed": 1},
        environment=ENVIRONMENT,
        metrics=metrics,
        checks=checks,
        comparisons=comparisons,
        warnings=warnings,
        failures=failures,
        verdict=verdict,
        findings=findings,
    )


def full() -> Result:
    """One real model, cold and warm, load modes, a baseline, a warning: everything that a good run shows."""
    cold = run_metrics("qwen3-4b", "cold")
    warm = run_metrics("qwen3-4b", "warm")
    read = run_metrics("qwen3-4b", "cold", variant="load_mode=read", scale=0.885, arm="read")
    mlock = run_metrics(
        "qwen3-4b",
        "cold",
        variant="load_mode=mlock",
        scale=1.01,
        arm="mlock",
        facts=MLOCK_FAILED,
    )
    return result(
        metrics=cold + warm + read + mlock,
        checks=(
            startup_check(cold, "model-startup-cpu", 15.0, "pass", "the whole interval is below the limit"),
            Check(
                "model-startup-metal",
                "model_startup_time{device=metal}",
                "median",
                5.0,
                "s",
                None,
                "not-measured",
                "llama.cpp found no Metal device here",
            ),
        ),
        findings=(FIT, BEST_MODE, bound("qwen3-4b", 1.94, 3.63)),
        comparisons=(
            Comparison(cold[0].key, "unchanged", 3.58, 3.62, "s", 1.011, 0.97, 1.05, ""),
            Comparison(
                "phase_time{cache=cold,device=cpu,model=qwen3-4b,phase=vocabulary}",
                "improved",
                0.551,
                0.412,
                "s",
                0.748,
                0.7,
                0.81,
                "faster by at least 19 %, more than the noise floor of 8 %",
            ),
        ),
        verdict="pass",
        warnings=("the battery saver is on: the processor runs below its full clock; plug in and repeat",),
    )


def sample() -> Result:
    """What a machine without models shows: three made ones, whose targets never count, then all at once."""
    names = {"tier-fast": 0.1, "tier-balanced": 0.22, "tier-powerful": 0.41}
    metrics: tuple[Metric, ...] = ()
    checks: tuple[Check, ...] = ()
    for name, scale in names.items():
        cold = run_metrics(name, "cold", scale=scale)
        metrics += cold + run_metrics(name, "warm", scale=scale)
        reason = "works here (sample, not your system): under the limit of 15.0 s"
        checks += (startup_check(cold, "model-startup-cpu", 15.0, "not-measured", reason),)
    for order, variant, seconds in (("sequential", {}, 2.1), ("parallel", {"variant": "order=parallel"}, 1.6)):
        labels = {"model": "all 3 models", "cache": "warm", **variant}
        metrics += (
            metric("model_load_time", labels, seconds, arm=order),
            metric("peak_rss", labels, 3.4 * GIB, unit="B", arm=order),
        )
    return result(metrics=metrics, checks=checks, subject="sample", profile="embedded", verdict="not-measured")


def uncertified() -> Result:
    """A file system where nothing proves that the file left the page cache; and a server, seen from outside."""
    cold = tuple(
        replace(one, labels={**one.labels, "cache": "uncertified"}) if "device" in one.labels else one
        for one in run_metrics("qwen3-4b", "cold", facts={"resident_before": None, "cold_proven": False})
    )
    labels = {"model": "llama-server", "cache": "warm"}
    phases = {"process_to_port": 0.31, "port_to_answer": 0.004, "answer_to_ready": 1.4, "first_token": 0.21}
    server = (
        metric("model_startup_time", labels, sum(phases.values()), arm="server"),
        metric("model_load_time", labels, sum(phases.values()) - 0.21, arm="server"),
        *(metric("phase_time", {**labels, "phase": name}, value, arm="server") for name, value in phases.items()),
    )
    checks = (startup_check(cold, "model-startup-cpu", 15.0, "not-measured", "no start could be proven cold"),)
    return result(metrics=cold + server, checks=checks)


def missed_on_metal() -> Result:
    cold = run_metrics("llama-3.1-8b", "cold", scale=2.1, device="metal")
    check = startup_check(cold, "model-startup-metal", 5.0, "fail", "the whole interval is above the limit")
    return result(
        metrics=cold,
        checks=(check,),
        findings=(bound("llama-3.1-8b", 4.07, 14.97),),
        comparisons=(
            Comparison(cold[0].key, "regressed", 13.1, 14.97, "s", 1.14, 1.09, 1.2, "slower by at least 9 %"),
            Comparison(
                "model_startup_time{cache=cold,device=metal,model=qwen3-4b}",
                "missing",
                3.2,
                None,
                "s",
                None,
                None,
                None,
                "every trial failed",
            ),
        ),
        failures=(
            Failure(
                "time-out",
                "no first token after 600 s, while compiling shaders",
                "raise --max-time",
                arm="mmap",
                labels={"model": "qwen3-4b", "cache": "cold"},
            ),
        ),
        verdict="fail",
    )


def many_models() -> Result:
    """Twelve models, some with names as long as people give files."""
    names = [
        "Qwen3-0.6B-Q8_0", "Qwen3-4B-Instruct-2507-UD-Q4_K_XL", "Qwen3-8B-Q4_K_M", "Llama-3.1-8B-Instruct-Q4_K_M",
        "DeepSeek-R1-Distill-Qwen-14B-uncensored-abliterated-v2.5-i1-Q4_K_M",
        "DeepSeek-R1-Distill-Qwen-14B-uncensored-abliterated-v2.5-i1-Q5_K_S",
        "gemma-3-4b-it-q4_0", "phi-4-mini-Q4_K_M", "MiniLM-L6-v2-f16", "Mistral-7B-Instruct-v0.3-Q8_0",
        "gpt-oss-20b-mxfp4", "SmolLM2-135M-Q8_0",
    ]  # fmt: skip
    metrics: tuple[Metric, ...] = ()
    checks: tuple[Check, ...] = ()
    for place, name in enumerate(names):
        scale = 0.2 + 0.55 * place
        cold = run_metrics(name, "cold", scale=scale)
        metrics += cold + run_metrics(name, "warm", scale=scale)
        is_late = (cold[0].summary.median or 0) > 15
        reason = "the whole interval is above the limit" if is_late else "the whole interval is below the limit"
        checks += (startup_check(cold, "model-startup-cpu", 15.0, "fail" if is_late else "pass", reason),)
    findings = (bound("SmolLM2-135M-Q8_0", 12.1, 22.7), FIT)
    return result(metrics=metrics, checks=checks, findings=findings, verdict="fail")


def failures_only() -> Result:
    """Nothing could be loaded: each failure with its cause, and llama.cpp's own words."""
    return result(
        verdict="not-measured",
        failures=(
            Failure(
                kind="crash",
                message="llama.cpp ended the process with signal SIGABRT while loading the tensors",
                remedy="run it again with --debug and report llama.cpp's message",
                detail="load_tensors: loading model tensors, this can take a while... (load_mode = mmap)\n"
                "ggml.c:1648: GGML_ASSERT(view_src == NULL) failed",
                arm="mmap",
                labels={"model": "broken-model", "cache": "cold"},
            ),
            Failure("out-of-memory", "the model needs 9.10 GiB, 3.20 GiB are free", "choose a smaller quantisation"),
        ),
        checks=(
            Check(
                "model-startup-cpu",
                "model_startup_time{cache=cold,model=broken-model}",
                "median",
                15.0,
                "s",
                None,
                "not-measured",
                "every trial failed",
            ),
        ),
    )


def few_trials() -> Result:
    """Three trials: too few for a median, so ranges and marked middles are shown."""
    cold = run_metrics("qwen3-4b", "cold", count=3)
    check = startup_check(cold, "model-startup-cpu", 15.0, "inconclusive", "a median needs 6 processes, 3 were run")
    return result(metrics=cold, checks=(check,), verdict="inconclusive")


EXAMPLES = {
    "full": full,
    "sample": sample,
    "uncertified": uncertified,
    "missed_on_metal": missed_on_metal,
    "many_models": many_models,
    "failures_only": failures_only,
    "few_trials": few_trials,
    "nothing": result,
}
