"""Where are the profiles that come with the tool, and which file does a name mean?"""

from __future__ import annotations

from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.field_errors import suggestion

_RENAMED = {"laptop": "laptop-metal"}  # names of before, which go on to work
_PACKAGE = Path(__file__).resolve().parent.parent


def builtin_profiles() -> tuple[Path, ...]:
    """The profiles that come with the tool, by name."""
    return tuple(sorted(_directory().glob("*.toml")))


def find_profile(name_or_path: str) -> Path:
    """The file that a name or path means: what has a slash or ends in .toml is a path."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path).expanduser()
    known = {path.stem: path for path in builtin_profiles()}
    name_or_path = _RENAMED.get(name_or_path, name_or_path)
    if name_or_path not in known:
        remedy = f"{suggestion(name_or_path, known)} (a file is given as a path: ./{name_or_path}.toml)"
        raise InputError(f"there is no profile '{name_or_path}'", remedy)
    return known[name_or_path]


def _directory() -> Path:
    """An installed package brings a copy; in a checkout the folder at the top is the one and only."""
    packed = _PACKAGE / "profiles_builtin"
    if packed.is_dir():
        return packed
    # Beside an installed package lie other packages, one of which might be called profiles.
    checkout = _PACKAGE.parent
    return checkout / "profiles" if (checkout / "pyproject.toml").is_file() else packed
