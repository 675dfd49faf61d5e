"""Which starts of a model server have to be measured, as users start it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synapse_perf.analyze.load_plan import Case, LoadRequest, ModelUnderTest, floor_case
from synapse_perf.analyze.verdict import UNCERTIFIED
from synapse_perf.model import CacheState, Json, TrialSpec

ARM = "server"
STOP_S = 60.0  # more than a server that ignores every request to end may take
NO_FILE = (
    "the command names no model file that could be evicted from the page cache: name it beside --server, as in "
    "'synapse-perf profile-load MODEL --server ...'"
)


@dataclass(frozen=True, slots=True)
class ServerUnderTest:
    """A command that starts a server, and how it is seen to be ready; the first URL that exists counts."""

    words: tuple[str, ...]
    env: Mapping[str, str]
    urls: tuple[str, ...]
    ready_timeout_s: float
    api_key: str | None = None

    def as_workload(self) -> dict[str, Json]:
        return {
            "words": list(self.words),
            "env": dict(self.env),
            "urls": list(self.urls),
            "ready_timeout_s": self.ready_timeout_s,
            "api_key": self.api_key,
        }


def plan_server(
    server: ServerUnderTest, model: ModelUnderTest | None, name: str, caches: Sequence[CacheState]
) -> list[Case]:
    """The starts, and the plain reads that bound them; without a known file one kind of start, of an unknown cache."""
    workload = server.as_workload()
    if model is None:
        return [_case({"model": name, "cache": UNCERTIFIED}, {**workload, "cache_how": NO_FILE}, server)]
    cases = []
    for cache in caches:
        case = _case({"model": model.label, "cache": str(cache)}, workload, server)
        spec = replace(case.spec, page_cache=cache, files=model.files)
        cases.append(replace(case, spec=spec, reads_bytes=model.size_bytes if cache == "cold" else 0))
        cases.append(floor_case(model, cache, LoadRequest()))
    return cases


def _case(labels: dict[str, str], workload: dict[str, Json], server: ServerUnderTest) -> Case:
    spec = TrialSpec(
        benchmark="server_start",
        arm=ARM,
        labels=labels,
        workload=workload,
        timeout_s=2 * server.ready_timeout_s + STOP_S,  # to be ready, and to give a token
    )
    return Case(spec, is_judged=True, reads_bytes=0)
