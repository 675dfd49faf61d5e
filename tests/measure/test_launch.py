"""A worker runs under any interpreter and imports nothing of the tool's environment."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import LAUNCHER, run_trial
from synapse_perf.model import TrialSpec


def test_a_bare_interpreter_runs_a_benchmark_that_needs_the_standard_library_alone(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1_000_000)
    spec = TrialSpec("read_floor", "floor", {}, {"files": [str(file)]}, python=str(tmp_path / "env" / "bin" / "python"))

    trial = run_trial(spec, 1, register=Register(tmp_path / "register"), observe=lambda event: None)

    assert trial.failure is None
    assert trial.samples[0].facts["bytes"] == 1_000_000


def test_the_tools_own_packages_stay_out_of_the_worker(tmp_path: Path) -> None:
    """The package is there, its neighbours in site-packages are not."""
    venv.create(tmp_path / "env", with_pip=False)
    code = (
        "import runpy, sys; sys.argv = ['launch.py']; "
        f"launch = runpy.run_path({str(LAUNCHER)!r}); launch['register_package'](); "
        "import synapse_perf.samples, importlib.util as util; "
        "print(util.find_spec('psutil'), util.find_spec('typer'))"
    )
    python = tmp_path / "env" / "bin" / "python"

    told = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout

    assert told == "None None\n"


def test_the_worker_loads_no_heavy_module_before_the_benchmark() -> None:
    code = (
        "import sys; before = set(sys.modules); import synapse_perf.measure.worker; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} & "
        "{'numpy', 'psutil', 'pydantic', 'rich', 'typer', 'scipy', 'gguf', 'llama_cpp', 'asyncio', 'subprocess'}))"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told == "[]\n"
