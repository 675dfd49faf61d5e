"""The options of service-startup: what is started, and how it tells that it is ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from synapse_perf.commands.options import option

STARTED = "What is started"
READY = "When it is ready"


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """One of a command, an image and a compose file, and the URL that tells."""

    command: Annotated[
        str | None, option("A command that stays in the foreground, in quotes.", "--command", STARTED, metavar="CMD")
    ] = None
    image: Annotated[
        str | None, option("A container image that is on this machine.", "--image", STARTED, metavar="IMAGE")
    ] = None
    compose: Annotated[
        str | None, option("A compose file; its images are on this machine.", "--compose", STARTED, metavar="FILE")
    ] = None
    service: Annotated[
        str | None,
        option("Of the compose file, with what it needs. Default: all services.", "--service", STARTED, metavar="NAME"),
    ] = None
    publish: Annotated[
        list[str],
        option("As in docker run: [ADDRESS:]PORT:PORT. Repeatable.", "--publish", STARTED, "-p", metavar="PORTS"),
    ] = field(default_factory=list)
    env: Annotated[
        list[str], option("A variable for it. Repeatable.", "--env", STARTED, "-e", metavar="NAME=VALUE")
    ] = field(default_factory=list)
    network: Annotated[
        str | None, option("The container's network, such as host.", "--network", STARTED, metavar="NAME")
    ] = None
    cold: Annotated[bool, option("Also start it with the image's files out of the page cache.", "--cold", STARTED)] = (
        False
    )
    url: Annotated[str | None, option("Its health URL.", "--url", READY, metavar="URL")] = None
    ready: Annotated[
        str | None,
        option("What its JSON has to say, such as components.db=ready.", "--ready", READY, metavar="PLACE=VALUE"),
    ] = None
    html: Annotated[bool, option("A page is what it answers with.", "--html", READY)] = False
    ready_timeout: Annotated[
        str | None, option("A start that takes longer has failed (60s).", "--ready-timeout", READY, metavar="DURATION")
    ] = None
