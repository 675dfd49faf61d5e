"""Is the wheel whole, does it work where it is installed, and are its requirements the ones that it needs and locks?"""

from __future__ import annotations

import ast
import email
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "synapse_perf"
# Not named as imported, or a part of it.
DISTRIBUTIONS = {
    "faiss": "faiss-cpu",
    "llama_cpp": "llama-cpp-python",
    "pydantic_core": "pydantic",
    "yaml": "pyyaml",
}
RUN_AS_PROGRAMS = {"py-spy"}
OPTIONAL = ("containers", "ui")  # parts that a user installs for one command, which tells how where they are missing


def project() -> dict[str, list[str]]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": content["dependencies"], **content["optional-dependencies"]}


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)}


def imported_packages() -> set[str]:
    """The names at the top of every import in the package that are neither its own nor the standard library's."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"synapse_perf"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from this checkout without the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel; it sees other packages, but not this checkout."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    borrowed = Path(sys.prefix) / "borrowed"  # where the set-up links an llama-cpp-python of another interpreter
    paths |= {str(borrowed)} if borrowed.is_dir() else set()
    (site / "seen.pth").write_text("\n".join(sorted(paths)) + "\n", encoding="utf-8")
    return folder / "bin"


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TERM": "dumb"},
    )


def test_the_wheel_brings_the_profiles_as_they_are(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            Path(name).name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("synapse_perf/profiles_builtin/")
        }
    assert packed == {path.name: path.read_bytes() for path in (ROOT / "profiles").iterdir()}
    assert packed


def test_the_wheel_brings_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name and "/profiles_builtin/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")}
    assert packed - modules == {"synapse_perf/py.typed"}
    assert modules - packed == set()


def test_the_wheel_states_its_licence(wheel: Path) -> None:
    assert metadata(wheel)["License-Expression"] == "MIT"
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/licenses/LICENSE"))
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_installed_command_answers(installed: Path) -> None:
    done = run(installed / "synapse-perf", "--help")
    assert done.returncode == 0, done.stderr
    assert "profile-load" in done.stdout


def test_the_installed_module_is_the_wheels_own(installed: Path) -> None:
    done = run(installed / "python", "-c", "import synapse_perf; print(synapse_perf.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_the_installed_command_lists_the_profiles(installed: Path) -> None:
    done = run(installed / "synapse-perf", "profiles", "list")
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert listed >= {path.stem for path in (ROOT / "profiles").glob("*.toml")}


def test_every_import_is_a_declared_dependency() -> None:
    told = project()
    declared = {canonicalize_name(Requirement(line).name) for part in ("", *OPTIONAL) for line in told[part]}
    needed = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in imported_packages()}
    assert needed - declared == set()


def test_every_dependency_is_used() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in project()[""]}
    needed = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in imported_packages()}
    assert declared - needed - RUN_AS_PROGRAMS == set()


@pytest.mark.parametrize("extra", sorted(project()))
def test_the_lock_satisfies_what_the_project_asks_for(extra: str) -> None:
    versions = locked()
    for line in project()[extra]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), ""), prereleases=True), line
