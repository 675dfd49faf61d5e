"""Which models are measured: those named, those of the profile, those found on the machine, or the samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.errors import InputError, NothingNamedError
from synapse_perf.model import Failure

if TYPE_CHECKING:
    from synapse_perf.gguf_files.header import GgufHeader
    from synapse_perf.profiles import Profile

TIERS = ("fast", "balanced", "deep")
TOLD_AT_ONCE = 4
TIER_ALIASES = {"powerful": "deep"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that can be measured with their headers, and those that cannot with the reason."""

    models: tuple[ModelUnderTest, ...]
    headers: dict[str, GgufHeader]  # by label
    unusable: tuple[Failure, ...]
    profile_name: str  # "found" becomes "embedded" where nothing was found


def choose_models(names: Sequence[str], profile: Profile, *, quiet: bool) -> Choice:
    """Resolve and check every model; raises InputError when none is left to measure."""
    wanted, profile_name = _wanted(names, profile, quiet=quiet)
    search = [Path(directory) for directory in profile.models.search]
    models: list[ModelUnderTest] = []
    headers: dict[str, GgufHeader] = {}
    problems: list[tuple[str, InputError]] = []
    for label, name in wanted:
        try:
            model, header = _look_at(label, name, search)
        except InputError as error:
            problems.append((label or _printable(Path(name).name), error))
            continue
        model = _with_unique_label(model, headers)
        models.append(model)
        headers[model.label] = header
    unusable = tuple(
        Failure("error", error.message, error.remedy, labels={"model": label}) for label, error in problems
    )
    if not models:
        raise none_left(unusable)
    return Choice(tuple(models), headers, unusable, profile_name)


def none_left(unusable: Sequence[Failure]) -> InputError:
    """The error where nothing can be measured: what is wrong with each of the first few, in one line."""
    told = "; ".join(failure.message for failure in unusable[:TOLD_AT_ONCE])
    more = len(unusable) - TOLD_AT_ONCE
    return InputError(f"{told}; and {more} more" if more > 0 else told, unusable[0].remedy)


def _wanted(names: Sequence[str], profile: Profile, *, quiet: bool) -> tuple[list[tuple[str, str]], str]:
    """(label, name or path) of each model; an empty label means that the model names itself."""
    tiers = _tiers(profile, quiet=quiet)
    chosen = list(names) or list(profile.profile_load.models)
    if chosen:
        return [_tier_or_name(name, tiers) for name in chosen], profile.name
    if tiers:
        return list(tiers.items()), profile.name
    if "models" in profile.lacking:  # and others are not measured in their place
        raise NothingNamedError(profile.lacking["models"], "fetch them, or name models: --model, --tier")
    found = _found(profile)
    if found:
        return [("", str(path)) for path in found], profile.name
    return list(_embedded(quiet=quiet).items()), "embedded"


def _tiers(profile: Profile, *, quiet: bool) -> dict[str, str]:
    if profile.models.source == "embedded":
        return _embedded(quiet=quiet)
    named = {tier: getattr(profile.models, tier) for tier in TIERS}
    return {tier: path for tier, path in named.items() if path is not None}


def _tier_or_name(name: str, tiers: dict[str, str]) -> tuple[str, str]:
    tier = TIER_ALIASES.get(name, name)
    return (tier, tiers[tier]) if tier in tiers else ("", name)


def _embedded(*, quiet: bool) -> dict[str, str]:
    from synapse_perf.gguf_files.embedded import embedded_models
    from synapse_perf.report.byte_progress import ByteProgress

    with ByteProgress("making the sample models", quiet=quiet) as progress:
        return {tier: str(path) for tier, path in embedded_models(progress.observe).items()}


def _found(profile: Profile) -> list[Path]:
    from synapse_perf.gguf_files.discovery import find_models

    search = [Path(directory) for directory in profile.models.search]
    # Encoders embed text; asking them for tokens is no start of a language model. By name they can be profiled.
    return [
        model.path
        for model in find_models(search)
        if model.header is not None and model.header.generates and not model.is_sample
    ]


def _look_at(label: str, name: str, search: Sequence[Path]) -> tuple[ModelUnderTest, GgufHeader]:
    from synapse_perf.gguf_files.discovery import resolve_model
    from synapse_perf.gguf_files.header import read_header

    path = resolve_model(name, search)
    header = read_header(path)
    model = ModelUnderTest(
        label=label or _printable(_short_name(path, header)),
        path=str(path.absolute()),  # as it is named: llama.cpp finds the parts of a split model by their names
        files=tuple(str(part.resolve()) for part in header.parts),
        size_bytes=header.size_bytes,
        digest=header.digest,
        description=_describe(header),
        is_sample=header.is_sample,
        n_ctx_train=header.n_ctx_train,
        tier=label or None,
    )
    return model, header


def _short_name(path: Path, header: GgufHeader) -> str:
    """The file's name without its suffix, nor a sample's digest; an Ollama blob is a digest and keeps its beginning."""
    name = path.name.removesuffix(".gguf")
    if header.is_sample:
        name = re.sub(r"-[0-9a-f]{12}$", "", name)
    return name[:19] if name.startswith("sha256-") else name


def _printable(name: str) -> str:
    """A label for reports out of a file name of any kind: no line breaks, no bytes that are no text."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _describe(header: GgufHeader) -> str:
    billions = header.parameters / 1e9
    size = f"{billions:.1f}B" if billions >= 1 else f"{header.parameters / 1e6:.0f}M"
    return f"{header.architecture} {size} {header.file_type or 'unknown type'}"


def _with_unique_label(model: ModelUnderTest, taken: dict[str, GgufHeader]) -> ModelUnderTest:
    from dataclasses import replace

    label, number = model.label, 2
    while label in taken:
        label, number = f"{model.label}-{number}", number + 1
    return replace(model, label=label)
