"""Which loads may be asked for: lists of users and of rates, each once, and one clear line for what is none."""

from __future__ import annotations

import pytest

from synapse_perf.analyze.query_load_plan import Loads
from synapse_perf.commands.query_load_options import QueryLoadOptions, loads_of
from synapse_perf.errors import InputError
from synapse_perf.profiles.settings import TierLatencySettings


def loads(
    concurrency: str | None = None,
    rate: str | None = None,
    *,
    settings: TierLatencySettings | None = None,
    is_tuning: bool = False,
) -> Loads:
    return loads_of(QueryLoadOptions(concurrency, rate), settings or TierLatencySettings(), is_tuning=is_tuning)


def test_nothing_is_asked_for_by_default() -> None:
    assert not loads()


def test_both_lists_are_sorted_and_each_value_is_there_once() -> None:
    assert loads("4, 1,2,1", "2,0.5,2.0") == Loads((1, 2, 4), (0.5, 2.0))


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1,,2", "257", "9" * 40, "1e3", "٣", "1_0", "inf", " "])
def test_what_is_no_number_of_users_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="--concurrency") as told:
        loads(concurrency=text)
    assert "\n" not in str(told.value)
    assert told.value.remedy == "write whole numbers from 1 to 256, such as 1,2,4"


@pytest.mark.parametrize("text", ["0", "-2", "nan", "inf", "1e9", "1000.1", "fast", "", "1,,2", "1_0", "1/2"])
def test_what_is_no_rate_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="--rate") as told:
        loads(rate=text)
    assert "\n" not in str(told.value)
    assert told.value.remedy.startswith("write numbers above 0 and up to 1000")


def test_more_levels_than_a_run_can_hold_are_refused() -> None:
    with pytest.raises(InputError, match="9 levels of load"):
        loads("1,2,3,4,5", "1,2,3,4")


def test_load_and_tuning_are_two_runs() -> None:
    with pytest.raises(InputError, match="--tune and load"):
        loads("1", is_tuning=True)


def test_the_profile_may_ask_for_load_and_options_take_its_place() -> None:
    settings = TierLatencySettings(concurrency=(4, 1, 4), rate=(2.0,))
    assert loads(settings=settings) == Loads((1, 4), (2.0,))
    assert loads("2", settings=settings) == Loads((2,), ())
    with pytest.raises(InputError, match="--tune and load"):
        loads(settings=settings, is_tuning=True)


@pytest.mark.parametrize("settings", [{"concurrency": (300,)}, {"rate": (1e9,)}])
def test_what_a_profile_may_not_ask_for_is_told_in_one_line(settings: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="in \\[tier-latency\\]"):
        loads(settings=TierLatencySettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"concurrency": (0,)}, {"rate": (-1.0,)}])
def test_a_profile_without_sense_is_refused_as_it_is_read(settings: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="tier-latency"):
        TierLatencySettings(**settings)  # type: ignore[arg-type]
