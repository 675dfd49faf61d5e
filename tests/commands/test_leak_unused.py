"""No option of leak-hunt may say nothing: what has no part in the hunts that were asked for is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from synapse_perf.commands.leak_hunts import Asked
from synapse_perf.commands.leak_options import CacheOptions, CallOptions, SwitchOptions
from synapse_perf.commands.leak_outside_options import OutsideOptions
from synapse_perf.commands.leak_servers_options import ServerOptions
from synapse_perf.commands.leak_unused import check_used
from synapse_perf.commands.options import CommonOptions, LoadOptions
from synapse_perf.errors import InputError
from synapse_perf.profiles import load_profile
from tests.faults.program import run

PLAIN = Asked(
    load_profile("embedded"),
    CallOptions(),
    SwitchOptions(),
    LoadOptions(),
    CommonOptions(),
    CacheOptions(),
    OutsideOptions(),
    ServerOptions(),
)
FUNCTION = ("app:work",)
SWITCH = ("model-switch",)


@pytest.mark.parametrize(
    ("what", "asked", "message"),
    [
        (FUNCTION, replace(PLAIN, common=CommonOptions(trials=6)), "--trials: how many processes"),
        (FUNCTION, replace(PLAIN, common=CommonOptions(seed=1)), "--seed: nothing in a hunt is drawn"),
        ((), replace(PLAIN, common=CommonOptions(confidence=0.9)), "--confidence: the error rates"),
        (SWITCH, replace(PLAIN, common=CommonOptions(target=["cgrag-warm<1s"])), "--target: no target is judged"),
        (FUNCTION, replace(PLAIN, loading=LoadOptions(model=["a.gguf"])), "--model: no model is loaded"),
        (FUNCTION, replace(PLAIN, switching=SwitchOptions("del")), "--release: no models are switched"),
        (("servers",), replace(PLAIN, switching=SwitchOptions("del")), "--release: no models are switched"),
        (SWITCH, replace(PLAIN, calling=CallOptions(setup="a:b")), "--setup: no function is called"),
        ((), replace(PLAIN, calling=CallOptions(calls=3)), "--calls: no function is called"),
        (FUNCTION, replace(PLAIN, caching=CacheOptions(keys="log")), "--keys: no cache is hunted"),
        (FUNCTION, replace(PLAIN, caching=CacheOptions(key_type="int")), "--key-type: no cache is hunted"),
    ],
)
def test_an_option_without_a_part_is_refused(what: Sequence[str], asked: Asked, message: str) -> None:
    with pytest.raises(InputError) as told:
        check_used(what, asked)

    assert told.value.message.startswith(message)
    assert told.value.remedy


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ((), PLAIN),
        ((), replace(PLAIN, loading=LoadOptions(context="512"), switching=SwitchOptions("del"))),
        (FUNCTION, replace(PLAIN, calling=CallOptions(arg=["1"]))),
        ((), replace(PLAIN, caching=CacheOptions(cache=["a:b"], rate=2.0), calling=CallOptions(setup="a:b"))),
        (("servers",), replace(PLAIN, loading=LoadOptions(context="512"))),
    ],
)
def test_options_that_have_a_part_are_taken(what: Sequence[str], asked: Asked) -> None:
    check_used(what, asked)


def test_a_flame_graph_is_refused_in_one_line_before_anything_runs() -> None:
    told = run("leak-hunt", "app:work", "--flamegraph", "graph.svg")

    assert told.code == 2
    assert [error.splitlines()[0] for error in told.errors] == [
        "--flamegraph: a hunt looks at what is kept, not at where the time goes"
    ]
