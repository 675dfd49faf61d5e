"""Which starts have to be measured to answer what was asked of profile-load?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from synapse_perf.llama.settings import DEFAULT_CONTEXT, LoadSettings, layers_text
from synapse_perf.model import CacheState, Json, TrialSpec

REFERENCE = ""  # the variant label of the arm that is judged
FLOOR_ARM = "floor"
ORDERS = ("sequential", "parallel")
LEAST_PATIENCE_S = 60.0  # Metal compiles its shaders for half a minute in a build's first start
SLOWEST_BYTES_PER_S = 10e6  # a network disk on a bad day


@dataclass(frozen=True, slots=True)
class ModelUnderTest:
    """A model with the name that its rows carry; a split one has several files."""

    label: str
    path: str
    files: tuple[str, ...]
    size_bytes: int
    digest: str
    description: str  # architecture, parameters, quantisation: for people
    is_sample: bool
    n_ctx_train: int | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What the profile and the options ask for; the first value of each list is the one that is judged."""

    load_modes: tuple[str, ...] = ("mmap",)
    caches: tuple[CacheState, ...] = ("cold", "warm")
    gpu_layers: tuple[int, ...] = (0,)
    contexts: tuple[int, ...] = ()
    threads: tuple[int, ...] = (0,)
    types_k: tuple[str, ...] = ("f16",)
    types_v: tuple[str, ...] = ("f16",)
    repacks: tuple[bool, ...] = (True,)
    batch: int = 512
    ubatch: int = 512
    flash_attn: bool | None = None
    device: str = "auto"
    in_parallel: bool = False
    python: str | None = None
    timeout_s: float = 600.0  # `patience_s` of the models
    env: Mapping[str, str] = field(default_factory=dict)
    rpc_servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of trial: its spec, and whether targets are judged by it."""

    spec: TrialSpec
    is_judged: bool
    reads_bytes: int

    @property
    def name(self) -> str:
        """Unique within a plan."""
        return "/".join([*(f"{key}={self.spec.labels[key]}" for key in sorted(self.spec.labels)), self.spec.arm])


def patience_s(size_bytes: int, max_time_s: float) -> float:
    """How long one trial on so many bytes may take before it counts as hanging, in seconds.

    As long as a very slow disk needs, or a quarter of the whole run where that is more, but no more than all of it.
    """
    enough_s = max(LEAST_PATIENCE_S + size_bytes / SLOWEST_BYTES_PER_S, max_time_s / 4)
    return min(enough_s, max(LEAST_PATIENCE_S, max_time_s))


def plan_load(models: Sequence[ModelUnderTest], request: LoadRequest) -> list[Case]:
    """Every case once: the starts, the plain reads that bound them, and all models at once if that is asked for."""
    cases = []
    for model, cache in product(models, request.caches):
        for variant, arm, settings in variants(model, request):
            cases.append(_start(model, cache, variant, arm, settings, request))
        cases.append(floor_case(model, cache, request))
    if request.in_parallel and len(models) > 1:
        cases += [_several(models, cache, order, request) for cache, order in product(request.caches, ORDERS)]
    return cases


def variants(model: ModelUnderTest, request: LoadRequest) -> list[tuple[str, str, LoadSettings]]:
    """(variant label, arm name, settings) of every combination; the first is the reference, its label is empty."""
    contexts = request.contexts or (_default_context(model),)
    found: list[tuple[str, str, LoadSettings]] = []
    first: LoadSettings | None = None
    for mode, layers, context, threads, type_k, type_v, repack in product(
        request.load_modes,
        request.gpu_layers,
        contexts,
        request.threads,
        request.types_k,
        request.types_v,
        request.repacks,
    ):
        settings = LoadSettings(
            model_path=model.path,
            n_ctx=context,
            n_batch=request.batch,
            n_ubatch=request.ubatch,
            n_threads=threads,
            n_gpu_layers=layers,
            device=request.device,
            load_mode=mode,
            flash_attn=request.flash_attn,
            type_k=type_k,
            type_v=type_v,
            repack=repack,
            rpc_servers=request.rpc_servers,
        )
        first = first or settings
        label = differences(first, settings)
        found.append((label, mode if label in ("", f"load_mode={mode}") else label, settings))
    return found


def differences(reference: LoadSettings, settings: LoadSettings) -> str:
    """What a variant changes, as its label: ``load_mode=read,n_gpu_layers=16``."""
    names = ("load_mode", "n_gpu_layers", "n_ctx", "n_threads", "type_k", "type_v", "repack")
    changed = [name for name in names if getattr(settings, name) != getattr(reference, name)]
    words = {name: getattr(settings, name) for name in changed}
    if "n_gpu_layers" in words:
        words["n_gpu_layers"] = layers_text(settings.n_gpu_layers)
    if "repack" in words:
        words["repack"] = "on" if settings.repack else "off"
    return ",".join(f"{name}={word}" for name, word in words.items())


def _default_context(model: ModelUnderTest) -> int:

    return min(DEFAULT_CONTEXT, model.n_ctx_train or DEFAULT_CONTEXT)


def _start(
    model: ModelUnderTest, cache: CacheState, variant: str, arm: str, settings: LoadSettings, request: LoadRequest
) -> Case:
    labels = {"model": model.label, "cache": str(cache)}
    if variant:
        labels["variant"] = variant
    spec = TrialSpec(
        benchmark="profile_load",
        arm=arm,
        labels=labels,
        workload={"settings": settings.as_workload()},
        timeout_s=request.timeout_s,
        page_cache=cache,
        files=model.files,
        python=request.python,
        env=request.env,
    )
    return Case(spec, is_judged=not variant, reads_bytes=model.size_bytes if cache == "cold" else 0)


def floor_case(model: ModelUnderTest, cache: CacheState, request: LoadRequest) -> Case:
    """The plain read of a model's files that bounds its starts."""
    workload: dict[str, Json] = {"files": list(model.files)}
    spec = TrialSpec(
        benchmark="read_floor",
        arm=FLOOR_ARM,
        labels={"model": model.label, "cache": str(cache)},
        workload=workload,
        timeout_s=request.timeout_s,
        page_cache=cache,
        files=model.files,
    )
    return Case(spec, is_judged=False, reads_bytes=model.size_bytes if cache == "cold" else 0)


def _several(models: Sequence[ModelUnderTest], cache: CacheState, order: str, request: LoadRequest) -> Case:
    settings = [variants(model, replace(request, load_modes=request.load_modes[:1]))[0][2] for model in models]
    labels = {"model": several_label(models), "cache": str(cache)}
    if order != ORDERS[0]:
        labels["variant"] = f"order={order}"
    spec = TrialSpec(
        benchmark="load_several",
        arm=order,
        labels=labels,
        workload={"settings": [one.as_workload() for one in settings], "order": order},
        timeout_s=request.timeout_s,
        page_cache=cache,
        files=tuple(file for model in models for file in model.files),
        python=request.python,
        env=request.env,
    )
    return Case(spec, is_judged=False, reads_bytes=sum(model.size_bytes for model in models) if cache == "cold" else 0)


def several_label(models: Sequence[ModelUnderTest]) -> str:
    """The name of all models together."""
    return f"all {len(models)} models"
