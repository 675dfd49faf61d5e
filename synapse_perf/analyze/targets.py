"""Which numbers have a target, on which statistic is each judged, and what is its limit?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from synapse_perf.errors import InputError
from synapse_perf.model import Better, Labels, Statistic

CI_PREFIX = "ci-"
VARIANT = "variant"  # the label of an experiment; no target judges it
NO_LABEL = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one metric, in the metric's base unit: below it, or for "higher" at least it.

    labels: for each label the values that are judged.
    """

    id: str
    metric: str
    statistic: Statistic
    limit: float
    unit: str
    better: Better = "lower"
    minimum: int = 6  # processes, or what counts as one: starts, runs, browsers
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ci_statistic: Statistic | None = None  # in profiles for CI, where it differs

    def judges(self, metric: str, labels: Labels) -> bool:
        """Whether a metric with these labels is a row of this target."""
        return (
            metric == self.metric
            and not labels.get(VARIANT)
            and all(labels.get(name, NO_LABEL) in values for name, values in self.labels.items())
        )

    def statistic_in(self, profile: str) -> Statistic:
        """The statistic that is judged under this profile."""
        return self.ci_statistic if self.ci_statistic and profile.startswith(CI_PREFIX) else self.statistic


def _startup(device: str, limit: float) -> Target:
    labels = {"cache": ("cold",), "device": (device,)}
    return Target(f"model-startup-{device}", "model_startup_time", "median", limit, "s", labels=labels)


def _query(name: str, limit: float, **labels: tuple[str, ...]) -> Target:
    return Target(f"query-{name}", "query_latency", "p90", limit, "s", labels=labels, ci_statistic="p95")


def _retrieval(state: str, statistic: Statistic, limit: float) -> Target:
    labels = {"state": (state,), "stage": ("total",), "cache": (NO_LABEL,)}  # one that is not proven cold has a label
    return Target(f"cgrag-{state}", "retrieval_latency", statistic, limit, "s", labels=labels)


TARGETS = (
    Target("docker-startup", "service_startup_time", "median", 5.0, "s", labels={"started": ("container", "compose")}),
    _startup("metal", 5.0),
    _startup("cpu", 15.0),
    _retrieval("cold", "median", 0.1),
    _retrieval("warm", "p95", 0.05),
    _query("fast", 2.0, tier=("fast",), complexity=("simple", NO_LABEL)),
    _query("balanced", 5.0, tier=("balanced",)),
    _query("deep", 15.0, tier=("deep", "powerful")),  # the engine's name for it is powerful
    _query("two-stage", 15.0, tier=("two-stage",)),
    Target("ui-animation", "frame_rate", "median", 60.0, "1/s", better="higher"),
    Target("websocket-latency", "websocket_latency", "p95", 0.05, "s", minimum=3),
)

_OPTION = re.compile(r"\s*([^\s<>=]+)\s*([<>]=?)\s*(.*?)\s*")


def find_target(target_id: str, targets: Sequence[Target] = TARGETS) -> Target:
    """Raises InputError with all ids for one that is not there."""
    for target in targets:
        if target.id == target_id:
            return target
    raise InputError(f"there is no target '{target_id}'", "choose one of " + ", ".join(one.id for one in targets))


def parse_target_option(text: str) -> tuple[str, float]:
    """The id and the limit in base units from ``ID<VALUE``: ``model-startup-cpu<10s``, ``ui-animation>50fps``.

    Raises InputError for another form, an unknown id, a value that is no limit, or the wrong side.
    """
    from synapse_perf.profiles.targets import parse_target_value

    match = _OPTION.fullmatch(text)
    if match is None:
        raise InputError(f"'{text}' is not a target", "write ID<VALUE, such as model-startup-cpu<10s")
    target = find_target(match[1])
    wanted = "<" if target.better == "lower" else ">"
    if match[2] not in (wanted, f"{wanted}="):
        raise InputError(
            f"'{text}': {target.id} is a limit from the other side", f"write {target.id}{wanted}{match[3]}"
        )
    return target.id, parse_target_value(target.id, match[3])


def with_limits(
    limits: Mapping[str, float] | Iterable[tuple[str, float]], targets: Sequence[Target] = TARGETS
) -> tuple[Target, ...]:
    """The target table with other limits, in base units by id; raises InputError for an id that is not there."""
    changed = dict(limits)
    for target_id in changed:
        find_target(target_id, targets)
    return tuple(replace(target, limit=changed.get(target.id, target.limit)) for target in targets)
