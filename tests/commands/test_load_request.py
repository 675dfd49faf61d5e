"""Options replace single values of the profile, and what makes no sense is told with what would."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.load_plan import LoadRequest
from synapse_perf.commands.load_request import load_request
from synapse_perf.commands.options import CommonOptions, LoadOptions
from synapse_perf.commands.profile_load import StartOptions
from synapse_perf.errors import InputError
from synapse_perf.llama.settings import LOAD_MODES
from synapse_perf.profiles import ProfileLoadSettings, load_profile


def requested(
    loading: LoadOptions | None = None,
    starts: StartOptions | None = None,
    settings: ProfileLoadSettings | None = None,
) -> LoadRequest:
    profile = replace(load_profile(), profile_load=settings or ProfileLoadSettings())
    return load_request(profile, CommonOptions(), loading or LoadOptions(), starts or StartOptions())


def test_the_profile_decides_where_no_option_does() -> None:
    settings = ProfileLoadSettings(load_modes=("read", "mmap"), context=(8192,), gpu_layers=(7,), flash_attn="on")

    found = requested(settings=settings)

    assert (found.load_modes, found.contexts, found.gpu_layers, found.flash_attn) == (
        ("read", "mmap"),
        (8192,),
        (7,),
        True,
    )


def test_an_option_replaces_only_its_own_value() -> None:
    settings = ProfileLoadSettings(load_modes=("read",), context=(8192,))

    found = requested(LoadOptions(context="512,1024"), settings=settings)

    assert (found.load_modes, found.contexts) == (("read",), (512, 1024))


def test_all_load_modes_have_a_short_name() -> None:
    assert requested(starts=StartOptions(load_mode="all")).load_modes == LOAD_MODES


def test_a_value_that_is_given_twice_is_measured_once() -> None:
    assert requested(LoadOptions(threads="2,2,4")).threads == (2, 4)


def test_both_is_cold_and_warm() -> None:
    assert requested(starts=StartOptions(cache="both")).caches == ("cold", "warm")


@pytest.mark.parametrize(
    ("loading", "words"),
    [
        (LoadOptions(gpu_layers="-2"), "-ngl -2"),
        (LoadOptions(gpu_layers="4,,8"), "-ngl 4,,8"),
        (LoadOptions(threads="0"), "-t 0"),
        (LoadOptions(context="4k"), "-c 4k"),
        (LoadOptions(cache_type_k="f16,q9"), "'q9' is not known"),
    ],
)
def test_a_wrong_value_is_told_with_its_option(loading: LoadOptions, words: str) -> None:
    with pytest.raises(InputError) as raised:
        requested(loading)

    assert words in raised.value.message
    assert raised.value.remedy
