"""Where do the queries of tier-latency go, if not to models in this process? The options --url and those beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from synapse_perf.commands.model_choice import TIER_ALIASES, TIERS
from synapse_perf.commands.options import option
from synapse_perf.errors import InputError

SERVED = "A running server"
DEFAULT_TIMEOUT_S = 60.0
KEY_VARIABLE = "SYNAPSE_PERF_API_KEY"
_FORM = "such as --url http://127.0.0.1:8080, or --url fast=http://127.0.0.1:8080 for one tier"


@dataclass(frozen=True, slots=True)
class ServedOptions:
    """Which server is asked, and how."""

    url: Annotated[
        list[str],
        option(
            "Ask a running server, for every tier or for one; silent from the start is exit code 2, later 6. "
            "Repeatable.",
            "--url",
            SERVED,
            metavar="[TIER=]URL",
        ),
    ] = field(default_factory=list)
    api: Annotated[
        Literal["openai", "synapse"],
        option("Its interface: /v1/chat/completions, or the engine's /api/query.", "--api", SERVED),
    ] = "openai"
    api_key: Annotated[
        str | None, option(f"Its key; better in {KEY_VARIABLE}.", "--api-key", SERVED, metavar="KEY")
    ] = None
    served_model: Annotated[
        list[str],
        option(
            "Its model, by default the first it lists. Repeatable.", "--served-model", SERVED, metavar="[TIER=]NAME"
        ),
    ] = field(default_factory=list)
    query_timeout: Annotated[
        str | None,
        option("A query not wholly answered by then is lost (60s; synapse: 90s).", "--query-timeout", SERVED),
    ] = None

    @property
    def key(self) -> str | None:
        return self.api_key or os.environ.get(KEY_VARIABLE) or None


def urls_of(texts: Sequence[str]) -> dict[str, str]:
    """The URL of each tier, in their order; InputError for what is none."""
    found = _by_tier("--url", texts)
    return {tier: _checked(url) for tier, url in found.items()}


def names_of(texts: Sequence[str], urls: Mapping[str, str]) -> dict[str, str]:
    """The model's name of each tier that was given one; InputError for a tier that no URL is for."""
    for text in texts:
        before, equals, _ = text.partition("=")
        tier = TIER_ALIASES.get(before.strip(), before.strip())
        if equals and tier in TIERS and tier not in urls:
            raise InputError(f"--served-model {text}: there is no --url for that tier", f"give --url {tier}=URL too")
    return _by_tier("--served-model", texts)


def timeout_of(options: ServedOptions) -> float:
    from synapse_perf.units import parse_duration

    timeout_s = parse_duration(options.query_timeout) if options.query_timeout else DEFAULT_TIMEOUT_S
    if timeout_s <= 0:
        raise InputError(f"--query-timeout {options.query_timeout}: no time at all", "such as 60s")
    return timeout_s


def _by_tier(option_name: str, texts: Sequence[str]) -> dict[str, str]:
    """``TIER=VALUE`` for one tier; a plain value for those that have no other."""
    plain: str | None = None
    own: dict[str, str] = {}
    for text in texts:
        before, equals, value = text.partition("=")
        tier = TIER_ALIASES.get(before.strip(), before.strip())
        is_plain = not equals or "/" in before or (option_name != "--url" and tier not in TIERS)
        if is_plain and plain is not None:
            raise InputError(f"{option_name} {text}: there is one for every tier already, {plain}", _FORM)
        if is_plain:
            plain = text.strip()
        elif tier not in TIERS:
            raise InputError(f"{option_name} {text}: there is no tier '{tier}'", f"write one of {', '.join(TIERS)}")
        elif tier in own:
            raise InputError(f"{option_name} {text}: {tier} has one already, {own[tier]}", "give each tier one")
        else:
            own[tier] = value.strip()
    return {tier: found for tier in TIERS if (found := own.get(tier) or plain)}


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"--url {url}: {error}", _FORM) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InputError(f"--url {url}: not an http:// or https:// address", _FORM)
    if parts.username or parts.password:
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        raise InputError(f"--url {shown}: no names and passwords in it", f"give the key in {KEY_VARIABLE}")
    if parts.query or parts.fragment:
        raise InputError(f"--url {url}: nothing may follow its path", _FORM)
    return url
