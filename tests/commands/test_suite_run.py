"""A run of several commands, whatever each of them does: codes, reasons, times, interrupts, and going on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from synapse_perf.analyze.targets import TARGETS
from synapse_perf.commands import suite_parts
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.options import CommonOptions, PartOptions
from synapse_perf.commands.suite_parts import MEASURED_BY, PARTS, chosen_parts, shares_of
from synapse_perf.commands.suite_run import SuiteRun
from synapse_perf.errors import ExitCode, InputError, MeasurementError, NotComparableError, NothingNamedError
from synapse_perf.model import Check, Suite
from synapse_perf.profiles import Profile
from synapse_perf.profiles.settings import MEASURING_COMMANDS
from synapse_perf.results import list_runs, load, write
from synapse_perf.results.runs import SUITE
from tests.made_results import made_result

Act = Callable[[PartOptions], int]
FAILED = Check("cgrag-warm", "retrieval_latency", "p95", 0.05, "s", 0.2, "fail", "over the limit")


def measures(name: str, *, code: int = 0, **changed: Any) -> Act:
    def act(common: PartOptions) -> int:
        common.collected.append(replace(made_result(name), **{"comparisons": (), "failures": (), **changed}))
        return code

    return act


def raises(error: BaseException) -> Act:
    def act(_common: PartOptions) -> int:
        raise error

    return act


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, PartOptions]]]:
    """Replace commands by what they do, and note with which options each was called."""

    def planted(**acts: Act) -> list[tuple[str, PartOptions]]:
        called: list[tuple[str, PartOptions]] = []

        def part(name: str, act: Act) -> Callable[..., int]:
            def command(*, common: CommonOptions) -> int:
                assert isinstance(common, PartOptions)
                called.append((name, common))
                return act(common)

            return command

        named = {name.replace("_", "-"): act for name, act in acts.items()}
        monkeypatch.setattr(suite_parts, "PARTS", {name: part(name, act) for name, act in named.items()})
        return called

    return planted


def suite_run(*names: str, profile: Profile | None = None, is_chosen: bool = False, **options: Any) -> SuiteRun:
    common = CommonOptions(**{"quiet": True, **options})
    return SuiteRun(profile or Profile("mine"), common, names or ("profile-load", "bench-cgrag"), is_chosen=is_chosen)


def saved() -> Suite:
    loaded = load(list_runs(SUITE)[0])
    assert isinstance(loaded, Suite)
    return loaded


def reason(suite: Suite, target: str) -> str:
    return next(check.reason for check in suite.checks if check.target == target)


# --- one after another -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (measures("profile-load"), measures("bench-cgrag"), 0),
        (measures("profile-load", code=3), measures("bench-cgrag", code=1), 1),
        (measures("profile-load", code=1), raises(MeasurementError("it crashed")), 6),
        (raises(InputError("no such file")), raises(MeasurementError("it crashed")), 2),
        (measures("profile-load", code=4), raises(ValueError("a slip")), 6),
        (measures("profile-load"), raises(KeyboardInterrupt()), 130),
        (raises(InputError("no such file")), measures("bench-cgrag", code=130), 130),
    ],
)
def test_the_code_is_the_first_of_the_contract_that_any_command_has(
    plant: Any, first: Act, second: Act, code: int
) -> None:
    plant(profile_load=first, bench_cgrag=second)

    assert suite_run().measure(is_resumed=False) == code


def test_what_one_command_cannot_do_is_told_in_its_rows_and_the_others_are_measured(
    plant: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(profile_load=raises(InputError("no such file", "name another")), bench_cgrag=measures("bench-cgrag"))

    suite_run().measure(is_resumed=False)

    assert [result.benchmark for result in saved().results] == ["bench-cgrag"]
    assert reason(saved(), "model-startup-metal") == "no such file"
    assert "error: profile-load: no such file\nhint: name another" in capsys.readouterr().err


def test_no_path_below_the_home_stands_in_a_row(plant: Any) -> None:
    plant(profile_load=raises(InputError(f"{Path.home()}/models/a.gguf cannot be read")))

    suite_run("profile-load").measure(is_resumed=False)

    assert reason(saved(), "model-startup-cpu") == "~/models/a.gguf cannot be read"


def test_a_row_that_is_open_for_a_failure_says_which(plant: Any) -> None:
    plant(profile_load=measures("profile-load", code=6, checks=(), failures=made_result().failures))

    assert suite_run("profile-load").measure(is_resumed=False) == ExitCode.MEASUREMENT_FAILED
    assert reason(saved(), "model-startup-cpu") == "failed: llama.cpp aborted"


def test_a_fault_of_one_command_costs_no_other(plant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plant(profile_load=raises(ZeroDivisionError("by zero")), bench_cgrag=measures("bench-cgrag"))

    suite_run().measure(is_resumed=False)

    assert len(saved().results) == 1
    assert "a fault of synapse-perf itself: ZeroDivisionError: by zero" in capsys.readouterr().err


def test_a_command_without_a_subject_is_a_row_with_the_option_and_no_error(
    plant: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(
        profile_load=measures("profile-load"),
        ws_latency=raises(NothingNamedError("ws-latency: no URL is given", "give it")),
    )

    code = suite_run("profile-load", "ws-latency").measure(is_resumed=False)

    assert code == 0
    assert reason(saved(), "websocket-latency") == "no URL is given (give it)"
    assert "not measured: ws-latency: no URL is given; give it" in capsys.readouterr().err


def test_a_command_without_a_subject_that_was_asked_for_by_name_is_wrong_input(plant: Any) -> None:
    plant(ws_latency=raises(NothingNamedError("ws-latency: no URL is given", "give it")))

    assert suite_run("ws-latency", is_chosen=True).measure(is_resumed=False) == ExitCode.USAGE


def test_a_required_row_that_nothing_measured_is_inconclusive(plant: Any) -> None:
    plant(ws_latency=raises(NothingNamedError("ws-latency: no URL is given", "give it")))
    required = Profile("mine", required=("websocket-latency",))

    assert suite_run("ws-latency", profile=required).measure(is_resumed=False) == ExitCode.INCONCLUSIVE


def test_a_sample_alone_meets_no_target(plant: Any) -> None:
    works = replace(made_result().checks[0], status="not-measured", reason="works here (sample, not your system)")
    plant(profile_load=measures("profile-load", subject="sample", checks=(works,)))

    assert suite_run("profile-load").measure(is_resumed=False) == 0
    assert saved().verdict == "not-measured"


def test_what_a_command_would_refuse_is_for_the_others(plant: Any) -> None:
    called = plant(leak_hunt=measures("leak-hunt"), profile_load=measures("profile-load"))

    suite_run("leak-hunt", "profile-load", trials=7, target=["query-fast<1s"]).measure(is_resumed=False)

    options = dict(called)
    assert (options["leak-hunt"].trials, options["leak-hunt"].target) == (None, [])
    assert (options["profile-load"].trials, options["profile-load"].target) == (7, ["query-fast<1s"])


# --- time ------------------------------------------------------------------------------------------------------------


def test_without_a_limit_each_command_has_its_own_time() -> None:
    assert shares_of(["profile-load", "leak-hunt"], None, None) == {"profile-load": 600.0, "leak-hunt": 120.0}
    assert shares_of(["profile-load", "leak-hunt"], 60.0, None) == {"profile-load": 60.0, "leak-hunt": 60.0}


def test_a_limit_is_shared_by_what_each_would_take() -> None:
    assert shares_of(["profile-load", "leak-hunt"], None, 360.0) == {"profile-load": 300.0, "leak-hunt": 60.0}
    assert sum(shares_of(list(PARTS), None, 100.0).values()) == pytest.approx(100.0)


def test_what_one_leaves_of_its_time_goes_to_those_after_it(plant: Any) -> None:
    called = plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag"))

    suite_run(max_time="100s").measure(is_resumed=False)

    first, second = (float(str(options.max_time).rstrip("s")) for _, options in called)
    assert first <= 50.0
    assert 50.0 < second <= 100.0


def test_what_a_command_needs_to_prepare_is_of_its_share(plant: Any) -> None:
    left: list[float | None] = []

    def prepares(common: PartOptions) -> int:
        time.sleep(0.2)
        left.append(effort_of(Profile("mine"), common).bounds.max_time_s)
        return 0

    plant(profile_load=prepares)

    suite_run("profile-load", max_time="10s").measure(is_resumed=False)

    assert left[0] is not None
    assert 1.0 <= left[0] <= 9.8
    assert effort_of(Profile("mine"), CommonOptions(max_time="10s")).bounds.max_time_s == 10.0


# --- interrupted, killed, gone on with -------------------------------------------------------------------------------


def test_each_finished_command_is_in_the_file_before_the_next_begins(plant: Any) -> None:
    seen: list[list[str]] = []

    def looks(_common: PartOptions) -> int:
        seen.append([result.benchmark for result in saved().results])
        raise KeyboardInterrupt

    plant(profile_load=measures("profile-load"), bench_cgrag=looks)

    assert suite_run().measure(is_resumed=False) == ExitCode.INTERRUPTED
    assert seen == [["profile-load"]]
    assert len(list_runs()) == 1


def test_an_interrupt_ends_the_run_and_its_rows_say_how_to_go_on(plant: Any) -> None:
    called = plant(
        profile_load=raises(KeyboardInterrupt()), bench_cgrag=measures("bench-cgrag"), ui_fps=measures("ui-fps")
    )

    suite_run("profile-load", "bench-cgrag", "ui-fps").measure(is_resumed=False)

    assert [name for name, _ in called] == ["profile-load"]
    assert "run --resume" in reason(saved(), "model-startup-cpu")
    assert "before its turn" in reason(saved(), "cgrag-warm")


def test_what_is_finished_and_not_asked_for_now_stays_in_its_own_file(plant: Any) -> None:
    plant(profile_load=measures("profile-load"), bench_cgrag=raises(KeyboardInterrupt()))
    suite_run().measure(is_resumed=False)
    plant(bench_cgrag=measures("bench-cgrag"))

    suite_run("bench-cgrag").measure(is_resumed=True)

    files = [load(path) for path in list_runs(SUITE)]
    assert [[one.benchmark for one in file.results] for file in files if isinstance(file, Suite)] == [
        ["bench-cgrag"],
        ["profile-load"],
    ]


def test_a_row_of_a_command_that_was_interrupted_says_how_to_go_on(plant: Any) -> None:
    nothing: dict[str, Any] = {"plan": {"stopped": "interrupted"}, "checks": (), "failures": ()}
    plant(profile_load=measures("profile-load", code=130, **nothing))

    suite_run("profile-load").measure(is_resumed=False)

    assert reason(saved(), "model-startup-cpu") == "interrupted; go on with: synapse-perf run --resume"


def test_a_row_that_the_time_did_not_suffice_for_says_so(plant: Any) -> None:
    spent: dict[str, Any] = {"plan": {"stopped": "the time is spent: 17.1 s of 18.8 s"}, "checks": (), "failures": ()}
    plant(profile_load=measures("profile-load", **spent))

    suite_run("profile-load").measure(is_resumed=False)

    assert reason(saved(), "model-startup-cpu").startswith(
        "the time is spent: 17.1 s of 18.8 s; give a longer --max-time, or measure it alone: synapse-perf profile-load"
    )
    assert reason(saved(), "model-startup-metal").startswith("measure it: synapse-perf profile-load")


def test_no_time_at_all_is_wrong_input(plant: Any) -> None:
    plant(profile_load=measures("profile-load"))

    with pytest.raises(InputError, match="--max-time 0s: leaves no time"):
        suite_run("profile-load", max_time="0s")


def test_only_what_was_finished_and_asked_for_alike_is_taken_over(
    plant: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted = {"plan": {"stopped": "interrupted"}}
    plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag", code=130, **interrupted))
    suite_run().measure(is_resumed=False)
    called = plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag"))

    assert suite_run().measure(is_resumed=True) == 0

    assert [name for name, _ in called] == ["bench-cgrag"]
    err = capsys.readouterr().err
    assert "taken over: profile-load, measured 2026-11-23T10:15 UTC" in err
    assert "not taken over: bench-cgrag was interrupted, and is measured again" in err
    assert len(list_runs(SUITE)) == 1
    assert [result.benchmark for result in saved().results] == ["profile-load", "bench-cgrag"]


@pytest.mark.parametrize(
    "changed", [{"profile": Profile("mine", required=("cgrag-warm",))}, {"trials": 9}, {"target": ["cgrag-warm<1s"]}]
)
def test_a_run_that_was_asked_for_in_another_way_is_not_gone_on_with(plant: Any, changed: dict[str, Any]) -> None:
    plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag"))
    suite_run().measure(is_resumed=False)

    with pytest.raises(InputError, match="asked for in another way"):
        suite_run(**changed).measure(is_resumed=True)


def test_more_time_and_another_order_change_nothing_of_what_is_taken_over(plant: Any) -> None:
    called = plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag"))
    suite_run("profile-load").measure(is_resumed=False)

    suite_run("bench-cgrag", "profile-load", max_time="1h").measure(is_resumed=True)

    assert [name for name, _ in called] == ["profile-load", "bench-cgrag"]


def test_a_miss_that_is_taken_over_still_fails_the_run(plant: Any) -> None:
    plant(bench_cgrag=measures("bench-cgrag", code=1, checks=(FAILED,), failures=()))
    suite_run("bench-cgrag").measure(is_resumed=False)
    plant(profile_load=measures("profile-load"))

    assert suite_run("bench-cgrag", "profile-load").measure(is_resumed=True) == ExitCode.FAIL
    assert saved().verdict == "fail"


def test_a_change_against_an_earlier_baseline_is_no_verdict_of_a_run_without_one(plant: Any) -> None:
    slower = replace(made_result().comparisons[0], status="regressed")
    plant(profile_load=measures("profile-load", checks=(), comparisons=(slower,), verdict="fail"))
    suite_run("profile-load").measure(is_resumed=False)
    plant(bench_cgrag=measures("bench-cgrag"))

    assert suite_run("profile-load", "bench-cgrag").measure(is_resumed=True) == 0
    assert saved().results[0].verdict == "not-measured"


# --- baselines and outputs -------------------------------------------------------------------------------------------


def test_a_suite_is_the_baseline_of_each_of_its_commands(plant: Any, tmp_path: Path) -> None:
    called = plant(profile_load=measures("profile-load"), bench_cgrag=measures("bench-cgrag"))
    suite_run("profile-load", output=[tmp_path / "before.json"]).measure(is_resumed=False)

    suite_run(baseline=str(tmp_path / "before.json")).measure(is_resumed=False)
    suite_run(baseline="last").measure(is_resumed=False)

    assert list(called[-3][1].baselines) == ["profile-load"]
    assert list(called[-1][1].baselines) == ["profile-load", "bench-cgrag"]


def test_a_baseline_of_nothing_that_is_run_is_not_comparable(tmp_path: Path) -> None:
    write(tmp_path / "other.json", made_result("ui-fps"))

    with pytest.raises(NotComparableError, match="holds ui-fps, and none of profile-load, bench-cgrag"):
        suite_run(baseline=str(tmp_path / "other.json"))


def test_what_cannot_be_written_costs_nothing_else(plant: Any, tmp_path: Path) -> None:
    plant(profile_load=measures("profile-load"))
    folder = tmp_path / "gone"
    outputs = [folder / "a.json", tmp_path / "b.json"]

    assert suite_run("profile-load", output=outputs).measure(is_resumed=False) == ExitCode.MEASUREMENT_FAILED
    assert json.loads((tmp_path / "b.json").read_text())["kind"] == "suite"


def test_a_dry_run_tells_all_plans_as_one_document(plant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def plans(common: PartOptions) -> int:
        typer.echo('{"kind": "plan"}' if common.format == "json" else "a plan")
        return 0

    plant(profile_load=plans, ui_fps=raises(InputError("no such page")), bench_cgrag=plans)

    code = suite_run("profile-load", "ui-fps", "bench-cgrag", dry_run=True, format="json").dry_run()

    assert json.loads(capsys.readouterr().out) == {"kind": "plans", "plans": [{"kind": "plan"}] * 2}
    assert code == ExitCode.USAGE
    suite_run("profile-load", "bench-cgrag", dry_run=True).dry_run()
    assert capsys.readouterr().out == "a plan\n\na plan\n"


# --- what there is ---------------------------------------------------------------------------------------------------


def test_each_target_has_its_command_and_each_command_can_be_named_in_a_profile() -> None:
    assert set(MEASURED_BY) == {target.id for target in TARGETS}
    assert {command for command, _ in MEASURED_BY.values()} <= set(PARTS)
    assert tuple(PARTS) == MEASURING_COMMANDS


def test_names_on_the_command_line_choose_and_are_checked() -> None:
    named = ("profile-load", "bench-cgrag")

    assert chosen_parts(named, None, "profile-load") == ("bench-cgrag",)
    assert chosen_parts(named, "ui-fps,profile-load", None) == ("ui-fps", "profile-load")
    with pytest.raises(InputError, match="'x' is no measuring command"):
        chosen_parts(named, None, "x")
    with pytest.raises(InputError, match="nothing is left"):
        chosen_parts(named, None, "profile-load, bench-cgrag")
