"""May py-spy look into processes here, and what does it say where it may not?"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.host.profiler_access import profiler_access

REFUSAL = "Permission Denied: Try running again with elevated permissions"


def needed() -> None:
    """Skip where the system lets nobody look into the processes of these tests."""
    access = profiler_access()
    if access.state != "ok":
        pytest.skip(access.what)


def refusing(folder: Path) -> str:
    """A program that ends as py-spy does without permission."""
    path = folder / "py-spy"
    path.write_text(f"#!/bin/sh\necho '{REFUSAL}' >&2\nexit 1\n")
    path.chmod(0o755)
    return str(path)
