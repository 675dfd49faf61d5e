"""leak-hunt tells who holds what grows: by name, proved, drawn, line by line; and asks nobody where nothing grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.program import Told, run

FOLDER = Path(__file__).parent


def hunt(function: str, *arguments: str | Path, env: dict[str, str | None] | None = None) -> Told:
    limits = ("--calls", "1", "--max-time", "40s", "--format", "json")
    return run("leak-hunt", f"leaky_code:{function}", *limits, *arguments, cwd=FOLDER, env=env)


def owned(told: Told) -> list[dict[str, Any]]:
    return [finding for finding in told.result["findings"] if finding["evidence"].get("owner")]


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Path]:
    """With all that can be asked for."""
    graph = tmp_path_factory.mktemp("graph") / "who.dot"
    more = ("--prove", "leaky_code.KEPT", "--svg", graph, "--lines", "leaky_code:keeps_bytes")
    return hunt("keeps_bytes", *more), graph


def test_the_owner_is_named_and_proved_with_its_remedy(proved: tuple[Told, Path]) -> None:
    (finding,) = owned(proved[0])
    evidence = finding["evidence"]

    assert (proved[0].code, finding["id"], finding["severity"]) == (1, "growing-list", "high")
    assert (evidence["owner"], evidence["made_in"]) == ("leaky_code.KEPT", "python")
    assert evidence["site"].endswith("(keeps_bytes)")
    assert evidence["container"]["per_iteration"] == 1
    assert evidence["proof"]["outcome"] == "proved"
    assert evidence["proof"]["before"] == pytest.approx(100_000, rel=0.02)
    assert evidence["proof"]["after"] < 4096
    assert finding["gain"]["measured"]
    assert "KEPT = deque(maxlen=1000)" in finding["change"]


def test_the_graph_is_written_and_the_lines_are_told(proved: tuple[Told, Path]) -> None:
    (lines,) = (one for one in proved[0].result["findings"] if one["id"] == "line-memory")

    assert proved[1].read_text().startswith("digraph")
    assert sum(line["growth_bytes"] for line in lines["evidence"]["lines"]) == pytest.approx(100_000, rel=0.3)


def test_no_trial_of_the_attribution_is_among_the_samples(proved: tuple[Told, Path]) -> None:
    arms = {trial["arm"] for metric in proved[0].result["metrics"] for trial in metric["trials"]}

    assert {arm.partition(" ")[0] for arm in arms} == {"look"}


def test_a_suspect_that_holds_nothing_is_told_so() -> None:
    told = hunt("keeps_bytes", "--prove", "leaky_code.CALLED")
    (suspect,) = (one for one in told.result["findings"] if one["id"] == "suspect")

    assert suspect["evidence"]["proof"]["outcome"] == "not"
    assert "leaky_code.CALLED does not hold it" in suspect["cause"]
    assert [one["evidence"]["owner"] for one in owned(told)] == ["leaky_code.KEPT", "leaky_code.CALLED"]


def test_where_nothing_grows_nobody_is_asked() -> None:
    told = hunt("waits", "--prove", "leaky_code.KEPT")

    assert (told.code, told.result["findings"]) == (0, [])
    assert any("nothing grew" in warning for warning in told.result["warnings"])


def test_two_probes_that_see_one_leak_make_one_finding() -> None:
    told = hunt("opens_a_file")

    assert [(one["id"], one["evidence"]["owner"]) for one in owned(told)] == [("open-descriptors", "leaky_code.KEPT")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prove", "leaky_code.NOTHING"), "--prove leaky_code.NOTHING: leaky_code has no NOTHING"),
        (("--prove", "KEPT"), "--prove KEPT: that is no path to an object"),
        (("--svg", "who.png"), "--svg who.png: '.png' is no format of a graph"),
        (("--lines", "leaky_code:waits"), "--lines leaky_code:waits: it is async"),
        (("--lines", "leaky_code:nothing"), "leaky_code has no nothing"),
    ],
)
def test_wrong_input_is_told_before_the_hunt(arguments: tuple[str, ...], message: str) -> None:
    told = hunt("keeps_bytes", *arguments)

    assert told.code == 2
    assert message in told.errors[-1]
    assert "\nhint: " in told.errors[-1]


def test_without_graphviz_a_graph_is_refused_before_the_hunt(tmp_path: Path) -> None:
    told = hunt("keeps_bytes", "--svg", tmp_path / "who.svg", env={"PATH": str(tmp_path)})

    assert told.code == 2
    assert "graphviz is not installed" in told.errors[-1]
