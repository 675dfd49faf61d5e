from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from synapse_perf.host.revision import parse_status, revision

COMMIT = "1f4b6a0c1f4b6a0c1f4b6a0c1f4b6a0c1f4b6a0c"


def git(directory: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    git(tmp_path, "init", "-b", "trunk")
    (tmp_path / "code.py").write_text("one\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout(checkout: Path) -> None:
    found = revision(checkout)
    assert (len(found["revision"]), found["branch"], found["dirty"]) == (40, "trunk", False)


def test_a_changed_file_makes_it_dirty(checkout: Path) -> None:
    (checkout / "code.py").write_text("two\n")
    assert revision(checkout)["dirty"] is True


def test_a_new_file_that_git_does_not_track_does_not(checkout: Path) -> None:
    (checkout / "result.json").write_text("{}")
    assert revision(checkout)["dirty"] is False


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) == {}


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch, checkout: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert revision(checkout) == {}


def test_before_the_first_commit_and_on_no_branch() -> None:
    initial = "# branch.oid (initial)\n# branch.head main\n"
    assert parse_status(initial) == {"revision": None, "branch": "main", "dirty": False}
    detached = f"# branch.oid {COMMIT}\n# branch.head (detached)\n1 .M N... 100644 100644 100644 a b code.py\n"
    assert parse_status(detached) == {"revision": COMMIT, "branch": None, "dirty": True}
