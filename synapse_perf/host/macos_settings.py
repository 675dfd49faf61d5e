"""What do macOS's own settings say: sysctl values by name?"""

from __future__ import annotations

import sys

from synapse_perf.host.tool_output import output

MACOS: bool = sys.platform == "darwin"


def sysctl(*names: str) -> dict[str, str]:
    """The values of those names that exist; nothing on another system."""
    return parse_sysctl(output(["/usr/sbin/sysctl", *names]) or "") if MACOS else {}


def parse_sysctl(text: str) -> dict[str, str]:
    """The ``name: value`` lines of sysctl."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name: value.strip() for name, separator, value in pairs if separator}
