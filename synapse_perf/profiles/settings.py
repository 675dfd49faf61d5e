"""What can a profile set, and which values make sense?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from synapse_perf.errors import InputError
from synapse_perf.model import CacheState
from synapse_perf.profiles.service_settings import ServiceStartupSettings
from synapse_perf.profiles.ui_settings import UiFpsSettings
from synapse_perf.profiles.ws_settings import WsLatencySettings

LoadMode = Literal["mmap", "read", "mlock", "direct"]
KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
ModelSource = Literal["found", "embedded", "named"]
FlashAttention = Literal["on", "off", "auto"]
OpenMode = Literal["read", "mmap", "ifc", "readahead"]
RetrievalState = Literal["process-cold", "cold", "preloaded", "warm"]
FINDING_COMMANDS = ("profile-load", "bench-cgrag", "tier-latency")  # samples, where they find nothing else
# What the others measure has to be told, by one of these.
TOLD_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "leak-hunt": ("functions",),
    "service-startup": ("command", "image", "compose", "sample"),
    "ws-latency": ("url", "sample"),
    "ui-fps": ("url", "sample"),
}
MEASURING_COMMANDS = (*FINDING_COMMANDS, *TOLD_COMMANDS)


def _at_least(name: str, values: Iterable[float | None], minimum: int) -> None:
    for value in values:
        if value is not None and value < minimum:
            raise InputError(f"{name} must be at least {minimum}, not {value}", "correct the value")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much is measured; None leaves it to the sampling policy or the command."""

    trials: int | None = None
    max_time_s: float | None = None
    confidence: float = 0.95
    seed: int | None = None

    def __post_init__(self) -> None:
        _at_least("sampling.trials", [self.trials], 1)
        _at_least("sampling.seed", [self.seed], 0)
        if self.max_time_s is not None and not self.max_time_s > 0:
            raise InputError("sampling.max_time must be above 0", "write a duration such as 90s or 5m")
        if not 0.5 < self.confidence < 1:
            raise InputError("sampling.confidence must lie between 0.5 and 1", "0.95 is usual")


@dataclass(frozen=True, slots=True)
class Models:
    """Which models are the tiers: found on the machine, the synthesised samples, or those named here."""

    source: ModelSource = "found"
    fast: str | None = None  # a path, or a name that `models list` shows
    balanced: str | None = None
    deep: str | None = None
    search: tuple[str, ...] = ()  # directories to search beside the usual ones


@dataclass(frozen=True, slots=True)
class ProfileLoadSettings:
    """What `profile-load` varies; an empty list or None leaves the value to the command and to llama.cpp."""

    models: tuple[str, ...] = ()  # tiers, paths or names; empty: all models of the profile
    load_modes: tuple[LoadMode, ...] = ("mmap",)  # what Llama() does by itself
    caches: tuple[CacheState, ...] = ("cold", "warm")
    gpu_layers: tuple[int, ...] = ()  # -1: all
    context: tuple[int, ...] = ()  # tokens; 0: as much as the model was trained for
    threads: tuple[int, ...] = ()
    cache_type_k: tuple[KvType, ...] = ()
    cache_type_v: tuple[KvType, ...] = ()
    batch: int | None = None
    ubatch: int | None = None
    flash_attn: FlashAttention = "auto"
    device: str = "auto"  # auto, cpu, gpu, or a device's name in llama.cpp
    parallel: bool = False  # also load all models at once, against one after another

    def __post_init__(self) -> None:
        _at_least("profile-load.gpu_layers", self.gpu_layers, -1)
        _at_least("profile-load.context", self.context, 0)
        _at_least("profile-load.threads", self.threads, 1)
        _at_least("profile-load.batch", [self.batch], 1)
        _at_least("profile-load.ubatch", [self.ubatch], 1)
        for name, values in (("load_modes", self.load_modes), ("caches", self.caches)):
            if not values:
                raise InputError(f"profile-load.{name} names none", "name at least one, or leave the line out")


@dataclass(frozen=True, slots=True)
class BenchCgragSettings:
    """What `bench-cgrag` searches and how; None or an empty list leaves it to the engine's values or to the command."""

    corpus: str | None = None
    index: str | None = None
    metadata: str | None = None
    engine: str | None = None
    retriever: str | None = None  # package.module:factory
    vectors: str | None = None
    synthetic: int | None = None
    queries: str | None = None
    encoder: str | None = None
    chunk_size: int | None = None  # words
    chunk_overlap: int | None = None
    factory: str | None = None  # of FAISS
    max_artifacts: int | None = None
    min_relevance: float | None = None
    token_budget: int | None = None
    nprobe: int | None = None
    ef_search: int | None = None
    open: tuple[OpenMode, ...] = ()
    states: tuple[RetrievalState, ...] = ()
    omp_threads: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("synthetic", "chunk_size", "max_artifacts", "token_budget", "nprobe", "ef_search"):
            _at_least(f"bench-cgrag.{name}", [getattr(self, name)], 1)
        _at_least("bench-cgrag.chunk_overlap", [self.chunk_overlap], 0)
        _at_least("bench-cgrag.omp_threads", self.omp_threads, 0)
        _at_least("bench-cgrag.threads", self.threads, 0)


@dataclass(frozen=True, slots=True)
class TierLatencySettings:
    """What `tier-latency` asks, and how long the answers are; None leaves it to the command."""

    resident: Literal["one", "all"] | None = None  # models in memory at a time
    asked: Literal["routed", "every"] | None = None
    max_tokens: int | None = None
    draft_tokens: int | None = None
    context_tokens: int | None = None  # of what is retrieved for a two-stage query
    is_fixed_length: bool | None = None
    temperature: float | None = None  # 0: greedy
    system: str | None = None
    queries: str | None = None  # a file
    queries_per_process: int | None = None
    prefix: Literal["cold", "warm"] | None = None  # which is judged
    overlap: Literal["none", "load", "retrieval", "load+retrieval"] | None = None  # of a two-stage query that is judged
    concurrency: tuple[int, ...] = ()  # users at a time, after the plain queries
    rate: tuple[float, ...] = ()  # queries a second, likewise

    def __post_init__(self) -> None:
        for name in ("max_tokens", "draft_tokens", "context_tokens", "queries_per_process"):
            _at_least(f"tier-latency.{name}", [getattr(self, name)], 1)
        _at_least("tier-latency.temperature", [self.temperature], 0)
        _at_least("tier-latency.concurrency", self.concurrency, 1)
        if not all(rate > 0 for rate in self.rate):
            raise InputError("tier-latency.rate must be above 0", "correct the value")


@dataclass(frozen=True, slots=True)
class LeakHuntSettings:
    """What `leak-hunt` calls where nothing is named."""

    functions: tuple[str, ...] = ()  # package.module:function


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that a profile file says; the options of a command replace single values."""

    # Read by pydantic, also for the classes inside: nothing unknown, no text for a number.
    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    name: str
    description: str = ""
    targets: Mapping[str, float] = field(default_factory=dict)  # in the target's base unit, instead of the table's
    run: tuple[str, ...] = ()  # the commands of `run`, in this order; none: see `commands`
    required: tuple[str, ...] = ()  # targets that must be measured: a row that was not then changes the exit code
    engine: str | None = None  # a checkout: what it says stands wherever the profile says nothing
    sampling: Sampling = Sampling()
    models: Models = Models()
    profile_load: ProfileLoadSettings = ProfileLoadSettings()
    bench_cgrag: BenchCgragSettings = BenchCgragSettings()
    tier_latency: TierLatencySettings = TierLatencySettings()
    leak_hunt: LeakHuntSettings = LeakHuntSettings()
    service_startup: ServiceStartupSettings = field(default_factory=ServiceStartupSettings)
    ws_latency: WsLatencySettings = field(default_factory=WsLatencySettings)
    ui_fps: UiFpsSettings = field(default_factory=UiFpsSettings)
    digest: str = ""  # of what is measured and how, with paths as they stand in the file
    lacking: Mapping[str, str] = field(
        default_factory=dict
    )  # what an engine does not have ("models", "index"), and why

    @property
    def commands(self) -> tuple[str, ...]:
        """Those that it names; else those that find something by themselves, and each other that is told what."""
        return self.run or (*FINDING_COMMANDS, *(name for name in TOLD_COMMANDS if self._is_told(name)))

    def _is_told(self, command: str) -> bool:
        settings = getattr(self, command.replace("-", "_"))
        return any(getattr(settings, name) for name in TOLD_COMMANDS[command])
