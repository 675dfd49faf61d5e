"""What is left after a stop is a leak at once, with its share of the stops; nothing left has a smallest share seen."""

from __future__ import annotations

import pytest

from synapse_perf.analyze.leak_left import judge_left, share_bounds, smallest_share
from synapse_perf.analyze.leak_left_findings import left_findings
from synapse_perf.analyze.leak_releases import release_findings
from synapse_perf.analyze.leak_rows import leaks_of
from synapse_perf.benchmarks.leak_loop import GROWTH
from synapse_perf.host.leak_probes import LEFT_GPU_MEMORY, LEFT_MEMORY, LEFT_PORTS, LEFT_ZOMBIES, ORPHANS
from synapse_perf.model import Fact, Measurement, Sample, Trial, TrialSpec
from tests.analyze.made_leaks import FREE_BYTES

STOPS = ("SIGTERM", "SIGKILL", "parent first")
NAMED = "pid 4711 (serve.py), which ignores SIGTERM"


def stop(place: int, orphans: float, memory: float, **facts: Fact) -> Sample:
    levels = {ORPHANS: orphans, LEFT_ZOMBIES: 0.0, LEFT_PORTS: 0.0, LEFT_MEMORY: memory}
    values = tuple(Measurement(GROWTH, value, {"probe": probe}) for probe, value in levels.items())
    named = {ORPHANS: NAMED} if orphans else {}
    return Sample(values, {"calls": 1, "stop": STOPS[place % 3], **named, **facts})


def servers(*samples: Sample) -> Trial:
    return Trial(
        TrialSpec("leak_servers", "look 1", {"hunt": "servers"}, {}), 1, samples, 9.0, {"free_bytes": FREE_BYTES}
    )


def stubborn(count: int) -> Trial:
    """One that is left by every third stop, with 30 MB."""
    return servers(*(stop(place, float(place % 3 == 0), 30e6 * (place % 3 == 0)) for place in range(count)))


def test_one_is_enough_and_is_named_with_how_it_was_stopped() -> None:
    judged = judge_left(stubborn(3), ORPHANS)

    assert (judged.status, judged.count, judged.wants_longer) == ("leak", 3, False)
    assert judged.reason == f"left after 1 of 1 stops by SIGTERM: {NAMED}"


def test_the_rate_is_the_mean_over_all_stops_within_its_interval() -> None:
    """4 of 12: Clopper and Pearson's 95 % interval is 0.0992 to 0.6511 (their tables)."""
    rows = {leak.metric.partition("probe=")[2].rstrip("}"): leak for leak in leaks_of(stubborn(12), None)}

    assert rows[ORPHANS].growth == pytest.approx(4 / 12)
    assert [rows[ORPHANS].low, rows[ORPHANS].high] == pytest.approx([0.0992, 0.6511], abs=1e-4)
    assert rows[LEFT_MEMORY].growth == pytest.approx(10e6)
    assert rows[LEFT_MEMORY].unit == "B"
    assert rows[LEFT_MEMORY].full_after == pytest.approx(FREE_BYTES / 10e6)
    assert rows[LEFT_PORTS].status == "clean"


def test_memory_of_a_graphics_processor_does_not_fill_the_machines() -> None:
    levels = {LEFT_MEMORY: 1e6, LEFT_GPU_MEMORY: 2e9}
    values = tuple(Measurement(GROWTH, value, {"probe": probe}) for probe, value in levels.items())
    rows = {leak.growth: leak for leak in leaks_of(servers(Sample(values, {"calls": 1, "stop": "SIGKILL"})), None)}

    assert (rows[2e9].unit, rows[2e9].full_after) == ("B", None)
    assert rows[1e6].full_after == pytest.approx(FREE_BYTES / 1e6)


def test_nothing_left_tells_which_share_would_have_been_seen() -> None:
    judged = judge_left(stubborn(12), LEFT_ZOMBIES)

    assert (judged.status, judged.slope and judged.slope.middle) == ("clean", 0.0)
    assert (1 - (judged.smallest or 0)) ** 12 == pytest.approx(0.05)
    assert judge_left(servers(), ORPHANS).status == "clean"


@pytest.mark.parametrize(("hits", "trials"), [(0, 8), (1, 8), (8, 8), (3, 23)])
def test_the_bounds_are_where_such_a_count_becomes_too_rare(hits: int, trials: int) -> None:
    """By the binomial sum itself."""
    from math import comb

    def at_most(share: float, count: int) -> float:
        return sum(comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count + 1))

    low, high = share_bounds(hits, trials)

    assert hits == trials or at_most(high, hits) == pytest.approx(0.025)
    assert hits == 0 or 1 - at_most(low, hits - 1) == pytest.approx(0.025)


def test_the_smallest_share_gets_smaller_with_each_stop() -> None:
    assert [round(smallest_share(stops), 3) for stops in (1, 8, 23, 92)] == [0.95, 0.312, 0.122, 0.032]


# --- findings --------------------------------------------------------------------------------------------------------


def test_what_is_left_is_a_finding_with_its_memory_and_the_lines_that_end_it() -> None:
    (finding,) = left_findings(stubborn(12))

    assert (finding.id, finding.severity) == ("server-leaves-processes", "high")
    assert finding.cause.endswith("4 of 4 stops by SIGTERM")
    assert finding.evidence["first"] == NAMED
    assert finding.gain is not None and finding.gain.value == pytest.approx(10e6)
    assert "os.killpg(server.pid, signal.SIGTERM)" in finding.change
    assert all((finding.check, finding.alert))


def test_a_server_that_outlives_its_parent_is_a_finding_and_no_leak() -> None:
    outliving = [stop(2, 0, 0, outlives_parent=True, outliving_bytes=45e6), stop(2, 0, 0, outlives_parent=False)]
    trial = servers(stop(0, 0, 0), *outliving)
    (finding,) = release_findings([trial])

    assert (finding.id, finding.severity) == ("server-outlives-parent", "low")
    assert "in 1 of 2 cases" in finding.cause
    assert finding.evidence["kept_bytes"] == 45e6
    assert {leak.status for leak in leaks_of(trial, None)} == {"clean"}


def switches(release: str, gone: bool, freed: float, count: int = 5, *, kept: bool = False) -> Trial:
    facts: dict[str, Fact] = {"is_gone_without_gc": gone, "freed_by_gc_bytes": freed, "previous_is_kept": kept}
    spec = TrialSpec("leak_model_switch", "look 1", {"hunt": f"model-switch, {release}"}, {"release": release})
    return Trial(spec, 1, tuple(Sample((), facts) for _ in range(count)), 9.0)


@pytest.mark.parametrize(
    ("release", "freed", "severity"),
    [("cycle", 400e6, "info"), ("del", 400e6, "medium"), ("close", 1e3, "low")],
)
def test_a_model_that_waits_for_the_collector_is_a_finding(release: str, freed: float, severity: str) -> None:
    """Within a cycle that the hunt itself has made it is a note."""
    late = switches(release, gone=False, freed=freed)
    (finding,) = release_findings([late, late])

    assert (finding.id, finding.severity) == ("model-waits-for-collector", severity)
    assert "5 of 5" in finding.cause
    assert ("381 MiB" in finding.cause) == (freed > 1e6)


def test_models_and_servers_that_let_go_at_once_are_no_finding() -> None:
    assert list(release_findings([switches("del", gone=True, freed=0.0), servers(stop(0, 0, 0))])) == []


def test_a_model_that_is_kept_for_good_does_not_wait_for_the_collector() -> None:
    """The leak is told as one; that it died later would be untrue."""
    assert list(release_findings([switches("del", gone=False, freed=0.0, kept=True)])) == []
