"""How does a text look without the names of the person and the machine?"""

from __future__ import annotations

import functools
import getpass
import os
import re
import socket
from pathlib import Path

_TOO_COMMON = frozenset({"", "root", "user", "admin", "runner", "ubuntu", "debian", "localhost", "home", "model", "vm"})
_SHORTEST_NAME = 3  # a shorter one would be found inside ordinary words


def redact(text: str) -> str:
    """Replace the home path by ``~``, and the user's and the machine's name by ``<user>`` and ``<host>``."""
    return redact_names(text, *_names(os.path.expanduser("~")))  # noqa: PTH111 (Path.home() raises where there is none)


def shorten_home(text: str) -> str:
    """Replace the home path by ``~`` and nothing else: for the user's own eyes, who may copy a command from it."""
    return redact_names(text, _homes(os.path.expanduser("~")), (), ())  # noqa: PTH111


def redact_names(text: str, homes: tuple[str, ...], users: tuple[str, ...], hosts: tuple[str, ...]) -> str:
    """As `redact`, with the names given. Names are replaced where they stand as whole words, whatever their case."""
    for home in sorted(homes, key=len, reverse=True):
        if len(home) > 1:
            text = re.sub(re.escape(home.rstrip("/")) + r"(?![\w.-])", "~", text)
    for names, placeholder in ((users, "<user>"), (hosts, "<host>")):
        for name in names:
            if len(name) >= _SHORTEST_NAME and name.lower() not in _TOO_COMMON:
                pattern = rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
                text = re.sub(pattern, placeholder, text, flags=re.IGNORECASE)
    return text


def _homes(home: str) -> tuple[str, ...]:
    return tuple({home, os.path.realpath(home)}) if home != "~" else ()


@functools.cache
def _names(home: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry
        user = ""
    host = socket.gethostname()
    owner = Path(home).name if home != "~" else ""
    return _homes(home), tuple({user, owner}), tuple({host, host.partition(".")[0]})
