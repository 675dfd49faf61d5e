"""What can a profile set for service-startup?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceStartupSettings:
    """What `service-startup` starts where nothing is named, and what tells that it is ready; or a sample of its own."""

    command: str | None = None
    image: str | None = None
    compose: str | None = None  # a file
    service: str | None = None  # of that file
    publish: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    network: str | None = None
    cold: bool = False
    url: str | None = None
    ready: str | None = None  # PLACE=VALUE
    html: bool = False
    ready_timeout: str | None = None  # a duration
    sample: bool = False
