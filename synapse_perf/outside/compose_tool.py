"""Which compose is there, what does it make of a file, and what does it say where it cannot?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from synapse_perf.outside.container_engine import host

TOOLS = (("docker", "compose"), ("docker-compose",), ("podman-compose",))
ANSWER_S = 30.0  # to be asked for its version, or what it makes of a file
_UNSET = re.compile(r'The \\?"?(\w+)\\?"? variable is not set')
_NOISE = ("warning", "encountered errors while", "the attribute `version`", "time=")


class ComposeFailed(Exception):  # noqa: N818 - says what happened
    """In its own words; `unset` are the variables that it names as missing."""

    def __init__(self, told: str, unset: Sequence[str] = ()) -> None:
        super().__init__(told)
        self.unset = tuple(unset)


def find_compose() -> tuple[str, ...]:
    """The words of the first that is there; empty without any."""
    return next((words for words in TOOLS if shutil.which(words[0]) and _answers(words)), ())


def _answers(words: Sequence[str]) -> bool:
    """A plugin is asked; whether a program of its own works, it tells with the first file."""
    if len(words) == 1:
        return True
    try:
        command = [*words, "version"]
        asked = subprocess.run(command, capture_output=True, timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Asked for and looked at are the same engine, whatever context a program would choose by itself."""
    return {**os.environ, "DOCKER_HOST": host(), **more}


def resolved(words: Sequence[str], file: str, project: str, env: Mapping[str, str]) -> str:
    """The file as YAML with its variables, paths and names filled in; raises ComposeFailed."""
    try:
        asked = subprocess.run(
            [*words, "-p", project, "-f", file, "config"],
            capture_output=True,
            text=True,
            env=environment(env),
            timeout=ANSWER_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComposeFailed(str(error)) from error
    if asked.returncode:
        raise ComposeFailed(why(asked.stderr), sorted(set(_UNSET.findall(asked.stderr))))
    return asked.stdout


def why(text: str) -> str:
    """The line of its output that says why it failed: the last that is no warning."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.lower().startswith(_NOISE)]
    return (told or lines or ["it says nothing"])[-1]


def up_words(words: Sequence[str], project: str, service: str | None) -> list[str]:
    """Start what stands on its standard input, in the background; nothing is built within a measurement."""
    return [*words, "-p", project, "-f", "-", "up", "-d", "--no-build", *([service] if service else [])]
