"""What a real interpreter prints of its imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.outside.import_times import VARIABLE, read_import_times


def test_a_slow_package_is_named_first_with_its_time(tmp_path: Path) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    (package / "__init__.py").write_text("import slow.inner")
    (package / "inner.py").write_text("import time, json; time.sleep(0.2)")
    environment = {**os.environ, VARIABLE: "1", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-S", "-c", "import slow"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True).stderr
    lines = (line.partition(":")[2].split("|") for line in said.splitlines())
    own_us = [int(own) for own, *_, name in lines if name.strip().startswith("slow")]

    times = read_import_times(f"a line of its own\n{said}")

    assert times is not None
    assert next(iter(times.packages)) == "slow"
    assert times.packages["slow"] == pytest.approx(sum(own_us) * 1e-6)
    assert times.packages["slow"] >= 0.2
    assert times.total_s >= times.packages["slow"]
    assert times.interpreters == 1
    assert times.modules == said.count("import time:") - 1  # without the heading


def test_who_prints_none_is_no_python() -> None:
    assert read_import_times("ready\nimport time: never\n") is None


def test_a_package_is_told_with_the_modules_that_led_to_it(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "",
        "app/main.py": "import app.search",
        "app/search.py": "import between",
        "between/__init__.py": "import between.deep",
        "between/deep.py": "import slow",
        "slow.py": "import time; time.sleep(0.2)",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    environment = {**os.environ, VARIABLE: "1", "PYTHONPATH": str(tmp_path)}
    code = "import app.main"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stderr

    times = read_import_times(said)

    assert times is not None
    assert times.importers["slow"] == "app.search > between.deep"
