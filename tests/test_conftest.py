"""Does a skip that nobody agreed to fail CI, and only that?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPPED = "import pytest\n\n@pytest.mark.skip(reason='no browser')\ndef test_page(): pass\n\ndef test_other(): pass\n"


def run_pytest(folder: Path, allowed: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "allowed_skips").write_text(allowed, encoding="utf-8")
    (folder / "test_page.py").write_text(SKIPPED, encoding="utf-8")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--rootdir",
            str(folder),
            "-c",
            os.devnull,
            "-p",
            "no:cacheprovider",
            str(folder),
        ],
        env=os.environ | {"CI": ci},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unnamed_skip_fails_ci_and_is_printed(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "# none\n", ci="true")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_page.py::test_page | no browser" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_the_printed_line_allows_the_skip(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "test_page.py::test_page | no browser\n", ci="true")
    assert done.returncode == pytest.ExitCode.OK
    assert "does not name" not in done.stdout


def test_another_reason_is_not_covered(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "test_page.py::* | no container*\n", ci="true")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


def test_outside_ci_a_skip_is_told_but_does_not_fail(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "", ci="")
    assert done.returncode == pytest.ExitCode.OK
    assert "CI would fail" in done.stdout
