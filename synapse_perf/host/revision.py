"""Which revision of which branch is a directory at?"""

from __future__ import annotations

import os
from pathlib import Path

from synapse_perf.host.privacy import redact
from synapse_perf.host.tool_output import output
from synapse_perf.model import Json

_INITIAL = "(initial)"  # what git writes before the first commit
_DETACHED = "(detached)"


def revision(directory: Path | None = None) -> dict[str, Json]:
    """``revision``, ``branch`` and ``dirty`` of the checkout that holds the directory; empty where there is none."""
    command = ["git", "-C", str(directory or "."), "status", "--porcelain=v2", "--branch", "-uno"]
    return parse_status(output(command, environment={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}) or "")


def parse_status(text: str) -> dict[str, Json]:
    """Read ``git status --porcelain=v2 --branch``; files that git does not track make nothing dirty."""
    lines = text.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and line.count(" ") >= 2)
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    if commit is None:
        return {}
    return {
        "revision": None if commit == _INITIAL else commit,
        "branch": None if branch in (None, _DETACHED) else redact(str(branch)),
        "dirty": any(line and not line.startswith("#") for line in lines),
    }
