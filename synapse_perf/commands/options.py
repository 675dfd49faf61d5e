"""The options that commands share: written once, spread into the signature of each command that takes them.

Typer reads a command's signature. `takes` replaces parameters annotated with a dataclass of options by the fields
of that class, and hands the command an instance instead.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

Code = TypeVar("Code")
MEASURING = "Measuring"
OUTPUT = "Output"
LOADING = "How models are loaded (llama.cpp's own flags work too)"


def option(help_text: str, name: str, panel: str, *names: str, **more: Any) -> Any:
    """An option with its text, its names and the panel of the help that shows it."""
    return typer.Option(name, *names, help=help_text, rich_help_panel=panel, **more)


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """What every measuring command takes."""

    profile: Annotated[
        str | None,
        option(
            "A profile by name or path (TOML). Default: what is found on this machine, else 'embedded'.",
            "--profile",
            MEASURING,
            metavar="NAME|PATH",
        ),
    ] = None
    trials: Annotated[
        int | None,
        option(
            "Processes per case at least; more follow while a check is undecided. A median needs 6.",
            "--trials",
            MEASURING,
            "-r",
            "--runs",
            min=1,
        ),
    ] = None
    max_time: Annotated[
        str | None,
        option("Stop starting trials after this long, such as 90s or 5m.", "--max-time", MEASURING, metavar="DURATION"),
    ] = None
    confidence: Annotated[
        float | None,
        option("Of intervals and verdicts (default 0.95).", "--confidence", MEASURING, min=0.5, max=0.9999),
    ] = None
    seed: Annotated[int | None, option("Of the order of trials.", "--seed", MEASURING)] = None
    target: Annotated[
        list[str],
        option(
            "Judge by another limit, such as 'model-startup-cpu<8s'. Repeatable.",
            "--target",
            MEASURING,
            metavar="ID<VALUE",
        ),
    ] = field(default_factory=list)
    python: Annotated[
        Path | None,
        option("Measure under this Python interpreter, with its libraries.", "--python", MEASURING),
    ] = None
    dry_run: Annotated[bool, option("Tell the steps, time and bytes, then stop.", "--dry-run", MEASURING)] = False
    output: Annotated[
        list[Path],
        option(
            "Write a report; the suffix tells the format: .json (the result file), .md, .html, .xml (JUnit), "
            ".prom. Repeatable.",
            "--output",
            OUTPUT,
            "-o",
        ),
    ] = field(default_factory=list)
    format: Annotated[Literal["console", "json", "md"], option("What goes to stdout.", "--format", OUTPUT)] = "console"
    baseline: Annotated[
        str | None,
        option("Compare with a saved baseline or a result file.", "--baseline", OUTPUT, metavar="NAME|PATH"),
    ] = None
    flamegraph: Annotated[
        Path | None,
        option(
            "Record one extra trial with py-spy: .svg, .json (speedscope) or .txt (collapsed stacks).",
            "--flamegraph",
            OUTPUT,
        ),
    ] = None
    quiet: Annotated[bool, option("No progress on stderr.", "--quiet", OUTPUT, "-q")] = False
    debug: Annotated[bool, option("Tracebacks, and llama.cpp's log of each failed trial.", "--debug", OUTPUT)] = False


@dataclass(frozen=True, slots=True)
class PartOptions(CommonOptions):
    """Those of one command within `run`: its result is handed over instead of being printed and saved by itself."""

    collected: list[Any] = field(default_factory=list)  # of Result
    baselines: Mapping[str, Any] = field(default_factory=dict)  # Result by command
    profile_read: Any = None  # Profile, with what its engine says
    ends_at_s: float | None = None  # of time.monotonic: no new trial from there on


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What every command takes that loads models; lists are separated by commas, the first value is the one judged."""

    model: Annotated[
        list[str], option("A model to add to the arguments.", "--model", LOADING, "-m", metavar="PATH|NAME")
    ] = field(default_factory=list)
    device: Annotated[
        str | None,
        option("auto, cpu, gpu, or llama.cpp's name of one (MTL0, CUDA0 ...).", "--device", LOADING),
    ] = None
    gpu_layers: Annotated[
        str | None,
        option("Layers to offload, -1 for all. A list.", "--gpu-layers", LOADING, "-ngl", "--n-gpu-layers"),
    ] = None
    context: Annotated[str | None, option("Context size in tokens. A list.", "--ctx-size", LOADING, "-c")] = None
    threads: Annotated[str | None, option("Threads. A list.", "--threads", LOADING, "-t")] = None
    batch: Annotated[int | None, option("Logical batch size.", "--batch-size", LOADING, "-b", min=1)] = None
    ubatch: Annotated[int | None, option("Physical batch size.", "--ubatch-size", LOADING, "-ub", min=1)] = None
    flash_attn: Annotated[
        Literal["on", "off", "auto"] | None, option("Flash attention.", "--flash-attn", LOADING, "-fa")
    ] = None
    cache_type_k: Annotated[
        str | None, option("Type of the K cache (f16, q8_0 ...). A list.", "--cache-type-k", LOADING, "-ctk")
    ] = None
    cache_type_v: Annotated[str | None, option("Type of the V cache. A list.", "--cache-type-v", LOADING, "-ctv")] = (
        None
    )


def takes(command: Callable[..., Code]) -> Callable[..., Code]:
    """Spread the option classes in the command's signature into options that Typer can read."""
    hints = typing.get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    bundles: dict[str, type[Any]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if is_dataclass(hints[name]):
            bundles[name] = hints[name]
            parameters += _parameters_of(hints[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def with_bundles(**values: Any) -> Code:
        for name, bundle in bundles.items():
            values[name] = bundle(**{option.name: values.pop(option.name) for option in fields(bundle)})
        return command(**values)

    with_bundles.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    del with_bundles.__wrapped__  # Typer would read the original's signature
    with_bundles.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_bundles


def _parameters_of(bundle: type[Any]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(bundle, include_extras=True)
    return [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=option.default if option.default is not MISSING else [],
            annotation=hints[option.name],
        )
        for option in fields(bundle)
    ]
