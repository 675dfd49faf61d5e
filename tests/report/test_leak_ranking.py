"""The ranking of a run over several hunts, as it is read; a single hunt has none."""

from __future__ import annotations

from synapse_perf.report.render import render
from tests.analyze.test_leak_ranking import hunted
from tests.report.leak_examples import clean, undecided


def test_the_table_has_bytes_first_and_tells_how_many_stay_the_same() -> None:
    lines = render(hunted(), "console", width=80, color=False, ascii_only=False).splitlines()
    first = lines.index("Ranking")
    table = [" ".join(line.split()) for line in lines[first + 2 : first + 8]]

    assert table[0] == "what per switch 95 % interval verdict"
    assert table[1].startswith("servers: memory of processes left +")
    assert table[1].endswith("MiB LEAK")
    assert table[2].startswith("model-switch: live heap +195 KiB")
    assert table[4].startswith("servers: processes left +0.3")
    assert table[5] == "The other 6 stay the same all the time."
    assert max(map(len, lines)) <= 80


def test_one_hunt_has_no_ranking() -> None:
    assert all("Ranking" not in render(one, "md") for one in (clean(), undecided()))
