from __future__ import annotations

import pytest

from synapse_perf.host.extras import extras, missing, parse_requirement


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("numpy>=2", ("numpy", (), None)),
        ("llama-cpp-python[server] ; extra == 'server'", ("llama-cpp-python", ("server",), "server")),
        ('uvicorn<1,>=0.22 ; extra == "server"', ("uvicorn", (), "server")),
        ('tomli ; (python_version < "3.11") and extra == "dev"', ("tomli", (), "dev")),
    ],
)
def test_a_requirement_names_the_extra_that_asks_for_it(
    line: str, parsed: tuple[str, tuple[str, ...], str | None]
) -> None:
    assert parse_requirement(line) == parsed


def test_what_these_tests_need_is_installed() -> None:
    assert "pytest" not in missing("synapse-perf", "dev")


def test_every_extra_has_a_line_and_a_missing_one_its_command() -> None:
    found = extras()
    assert {"extra dev", "extra server"} <= {one.name for one in found}
    assert all(one.remedy.startswith("pip install 'synapse-perf[") for one in found if one.state == "unavailable")


def test_a_tool_that_is_not_installed_is_unknown() -> None:
    (line,) = extras("a-distribution-that-nobody-has")
    assert line.state == "unknown"
