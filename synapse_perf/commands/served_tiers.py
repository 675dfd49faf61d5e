"""Where do each tier's queries go, does anything answer there, and by which model?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.served_plan import ServedTier
from synapse_perf.commands.model_choice import none_left
from synapse_perf.commands.served_options import names_of, urls_of
from synapse_perf.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.commands.served_options import ServedOptions

LISTING_S = 10.0  # for the names of a server's models, the first thing that it is asked
UNNAMED = "the server's own choice"


@dataclass(frozen=True, slots=True)
class ServedTiers:
    """The tiers that something answers for, what to tell of them, and those that nothing does."""

    tiers: Mapping[str, ServedTier]
    told: tuple[str, ...]
    unusable: tuple[Failure, ...]


def served_tiers(served: ServedOptions, *, asks: bool) -> ServedTiers:
    """InputError where no server answers at all; with `asks` false nobody is asked."""
    urls = urls_of(served.url)
    names = names_of(served.served_model, urls)
    listed = {url: _listed(url, served.key) if asks else [] for url in dict.fromkeys(urls.values())}
    told: list[str] = []
    tiers: dict[str, ServedTier] = {}
    for tier, url in urls.items():
        known, name = listed[url], names.get(tier)
        if isinstance(known, Failure):
            continue
        if name and known and name not in known:
            told.append(f"{tier}: the server does not list a model '{name}', only {_some(known)}")
        if not name and len(known) > 1:
            told.append(f"{tier}: {known[0]}, the first of {len(known)} that the server lists (see --served-model)")
        tiers[tier] = ServedTier(url, name or next(iter(known), None))
    unusable = tuple(known for known in listed.values() if isinstance(known, Failure))
    if not tiers:
        raise none_left(unusable)
    targets = {(one.url, one.model) for one in tiers.values()}
    if len(targets) == 1 and len(tiers) > 1:
        told.append(f"one model answers the queries of every tier: {shown(next(iter(tiers.values())))}")
    return ServedTiers(tiers, tuple(told), unusable)


def as_model(tier: str, served: ServedTier) -> ModelUnderTest:
    """A served model as the run's texts and its digest know models; of its file nothing is known."""
    from synapse_perf.gguf_files.embedded import EMBEDDED_PREFIX

    name = shown(served)
    is_sample = name.startswith(EMBEDDED_PREFIX)
    told = "a sample, served" if is_sample else "served"
    return ModelUnderTest(tier, name, (), 0, f"served:{name}", told, is_sample, tier=tier)


def shown(served: ServedTier) -> str:
    """Its name; of a server that names its model by the file's path, the file."""
    return PurePath(served.model).name if served.model else UNNAMED


def _listed(url: str, key: str | None) -> list[str] | Failure:
    """The names of its models; none where it does not tell them, which its first query may tell the reason of."""
    from synapse_perf.outside.chat_client import ChatClient
    from synapse_perf.outside.streamed_answer import QueryLost

    client = ChatClient(url, LISTING_S, api_key=key)
    try:
        return client.served_models()
    except QueryLost as error:
        if error.kind == "unreachable":
            return Failure("error", str(error), error.remedy)
        if error.kind == "time-out":
            return Failure(
                "time-out", f"nothing answers at {url}: {error}", "start the server, or wait until it is free"
            )
        return []
    finally:
        client.close()


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
