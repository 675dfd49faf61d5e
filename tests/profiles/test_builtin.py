"""The profiles that come with the tool are found in a checkout and in an installed package, and are right."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import synapse_perf
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.errors import InputError
from synapse_perf.profiles import builtin_profiles, find_profile, load_profile

NAMES = ["ci-cpu", "embedded", "laptop-metal", "synapse-engine"]
SHOW = "from synapse_perf.profiles import builtin_profiles; print(*builtin_profiles(), sep='\\n')"


def test_these_come_with_the_tool() -> None:
    assert [path.stem for path in builtin_profiles()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_valid_has_its_files_name_and_says_what_it_is_for_in_one_line(name: str) -> None:
    profile = load_profile(name)

    assert profile.name == name
    assert 20 < len(profile.description) <= 62
    assert find_profile(name).read_text("utf-8").startswith("# For ")


def test_the_engines_profile_states_the_target_table() -> None:
    assert load_profile("synapse-engine").targets == {target.id: target.limit for target in TARGETS}


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="there is no profile 'laptop-metall'") as caught:
        find_profile("laptop-metall")
    assert "did you mean 'laptop-metal'?" in caught.value.remedy


def test_the_name_of_before_goes_on_to_work() -> None:
    assert load_profile("laptop").name == "laptop-metal"


@pytest.mark.parametrize("name", NAMES)
def test_each_names_its_commands(name: str) -> None:
    assert "run" in tomllib.loads(find_profile(name).read_text("utf-8"))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_profile(f"{tmp_path}/x") == tmp_path / "x"
    assert find_profile("laptop.toml") == Path("laptop.toml")


@pytest.fixture(name="installed")
def _installed(tmp_path: Path) -> Path:
    """The package as it lies in a site-packages folder, beside a folder of somebody else's profiles."""
    package = Path(synapse_perf.__file__).parent
    shutil.copytree(package, tmp_path / "synapse_perf", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "foreign.toml").write_text("")
    return tmp_path


def found_in(site_packages: Path) -> list[str]:
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, cwd=site_packages, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_installed_package_uses_its_copy(installed: Path) -> None:
    packed = installed / "synapse_perf" / "profiles_builtin"
    shutil.copytree(builtin_profiles()[0].parent, packed)

    assert found_in(installed) == [str(packed / f"{name}.toml") for name in NAMES]


def test_a_foreign_folder_beside_an_installed_package_is_not_ours(installed: Path) -> None:
    assert found_in(installed) == []
