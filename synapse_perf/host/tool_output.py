"""What does a short system command answer, if it is there and answers in time?"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence


def output(command: Sequence[str], timeout_s: float = 2.0, environment: Mapping[str, str] | None = None) -> str | None:
    """The standard output, or None where the command is missing, fails without any output, or takes too long."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    text = done.stdout.decode("utf-8", "replace")
    return text if done.returncode == 0 or text.strip() else None
