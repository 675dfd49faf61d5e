"""What on this machine could be measured? Models by tier, an engine, a compose file, and what answers right now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.engine import Engine
    from synapse_perf.engine.as_profile import Installation
    from synapse_perf.gguf_files.discovery import FoundModel
    from synapse_perf.outside.usual_addresses import Running

TIERS = ("fast", "balanced", "deep")


@dataclass(frozen=True, slots=True)
class Found:
    """All that a profile can be made of; of several models for a tier the largest comes first."""

    models: Mapping[str, Sequence[FoundModel]]
    installation: Installation | None
    compose: Path | None
    compose_service: str | None
    compose_health: str | None
    running: Running
    warnings: tuple[str, ...]

    def told(self) -> Iterator[str]:
        """What was found and what was not, a line each."""
        yield from self._told_of_models()
        engine = self.installation
        yield f"found: engine checkout {engine.engine.directory}" if engine else "not found: an engine checkout"
        if engine and engine.index_problem:
            yield f"not found: an index of the engine: {engine.index_problem}"
        if self.compose is None:
            yield "not found: a compose file"
        elif self.compose_health is None:
            yield f"found: {self.compose}, and none of its services has a health check with a published address"
        else:
            yield f"found: {self.compose}, where {self.compose_service} is ready at {self.compose_health}"
        health, page = self.running.health, self.running.page
        yield f"found: a service that answers at {health}" if health else "not found: a health URL on the usual ports"
        yield f"found: a page at {page}" if page else "not found: a page on the usual ports"
        for warning in self.warnings:
            yield f"warning: {warning}"

    def _told_of_models(self) -> Iterator[str]:
        if self.installation and self.installation.models:
            for tier in TIERS:
                model = self.installation.models.get(tier)
                yield (
                    f"found: {tier} of the engine: {model.id}" if model else f"not found: a {tier} model of the engine"
                )
            return
        for tier in TIERS:
            models = self.models.get(tier, ())
            more = f", the largest of {len(models)}" if len(models) > 1 else ""
            yield f"found: {tier}: {models[0].name}{more}" if models else f"not found: a {tier} model"


def find_here(directory: Path, engine: Path | None) -> Found:
    """InputError for an engine that was named and is none, or whose files are damaged."""
    from synapse_perf.engine import Engine
    from synapse_perf.engine.as_profile import read_installation
    from synapse_perf.engine.compose import find_compose, read_compose
    from synapse_perf.gguf_files.places import huggingface_cache
    from synapse_perf.outside.usual_addresses import look_around

    warnings: list[str] = []
    installation = None
    checkout = Engine(engine) if engine is not None else _checkout_at(directory)
    if checkout is not None:
        installation = read_installation(checkout, huggingface_cache())
        warnings += installation.warnings
    read = installation.compose if installation else None
    path = read.path if read else find_compose(directory)
    if read is None and path is not None:
        try:
            read = read_compose(path, {})
        except InputError as error:
            warnings.append(error.message)
    backend = read.backend if read else None
    return Found(
        models=_models(warnings),
        installation=installation,
        compose=path,
        compose_service=backend.name if backend else None,
        compose_health=backend.health if backend else None,
        running=look_around(),
        warnings=tuple(warnings),
    )


def _checkout_at(directory: Path) -> Engine | None:
    from synapse_perf.engine import Engine

    try:
        return Engine(directory)
    except InputError:
        return None


def _models(warnings: list[str]) -> dict[str, list[FoundModel]]:
    """The real models that write text, by the engine's rules, the largest of each tier first."""
    from synapse_perf.gguf_files.discovery import find_models

    found: dict[str, list[FoundModel]] = {}
    for model in find_models():
        if model.problem is not None:
            warnings.append(f"{model.name} cannot be used: {model.problem}")
        elif model.tier is not None and not model.is_sample and str(model.path).isprintable():
            found.setdefault(model.tier, []).append(model)
    for models in found.values():
        models.sort(key=lambda one: one.header.size_bytes if one.header else 0, reverse=True)
    return found
