"""The GitHub Action and this project's workflow: well formed, and the action's own steps do what they say.

GitHub itself is played by this file: it fills in the expressions, gives each step its files, and reads them back.
What a step installs, and GitHub's own actions, are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from synapse_perf.gguf_files.cache import cache_directory
from synapse_perf.gguf_files.embedded import embedded_models
from tests.commands.made_repository import COMMAND, git, made_repository
from tests.report.test_gate_github import command, outputs

ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
SCRIPTS = [step for step in STEPS if "run" in step]
JOBS: dict[str, Any] = WORKFLOW["jobs"]
FAKE_GH = """\
#!/bin/sh
echo "$@" >> "$GH_LOG"
case "$*" in
  *--paginate*) printf '%s' "$GH_KNOWN" ;;
  *) exit "${GH_CODE:-0}" ;;
esac
"""


@dataclass
class Runner:
    """One job: a folder for files, and the outputs of its steps so far."""

    temp: Path
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    event: dict[str, str] = field(default_factory=dict)

    def value(self, expression: str) -> str:
        kind, _, rest = expression.partition(".")
        if kind == "inputs":
            declared = str(ACTION["inputs"][rest].get("default", ""))
            return self.inputs.get(rest, self.filled(declared))
        if kind == "steps":
            step, _, name = rest.partition(".outputs.")
            return self.outputs[step].get(name, "")
        known = {
            "github.action_path": str(ROOT),
            "github.token": "secret",
            "runner.temp": str(self.temp),
            "github.event.pull_request.number": "7",
        }
        return known[expression]

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.value(found[1]), text)

    def run(self, name: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        step = next(step for step in STEPS if step["name"] == name)
        script, output = self.temp / "step.sh", self.temp / "output"
        script.write_text(step["run"])
        output.write_text("")
        environment = {
            **os.environ,
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_REPOSITORY": "somebody/something",
            **self.environment,
            **{key: self.filled(value) for key, value in step["env"].items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=cwd / self.filled(step.get("working-directory", ".")),
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=600,
        )
        if "id" in step:
            text = output.read_text()
            plain = dict(line.split("=", 1) for line in text.splitlines() if "<<" not in text and "=" in line)
            self.outputs[step["id"]] = plain or outputs(text)
        return done


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    temp = tmp_path / "temp"
    tool = temp / "synapse-perf" / "bin" / "synapse-perf"
    tool.parent.mkdir(parents=True)
    tool.symlink_to(Path(sys.executable).with_name("synapse-perf"))
    return Runner(temp)


def prepared(runner: Runner, cwd: Path, **inputs: str) -> Runner:
    runner.inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
    done = runner.run("What has to be installed", cwd)
    assert done.returncode == 0, done.stderr
    return runner


def merged(place: Path, time: str) -> Path:
    """The checkout of a pull request as GitHub makes it: a merge of it, cut off after its parents."""
    origin = made_repository(place / "origin")
    git(origin, "checkout", "-q", "-b", "change")
    (origin / "time").write_text(time)
    git(origin, "commit", "-qam", "change")
    git(origin, "checkout", "-q", "main")
    git(origin, "merge", "-q", "--no-ff", "-m", "merge", "change")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(place, "clone", "-q", "--depth", "1", f"file://{origin}", "checkout")
    return place / "checkout"


# --- structure -------------------------------------------------------------------------------------------------------


def test_every_input_that_is_used_is_declared_and_every_declared_one_is_used() -> None:
    text = (ROOT / "action.yml").read_text()
    used = set(re.findall(r"\$\{\{ *inputs\.([a-z-]+)|inputs\.([a-z-]+) ==", text))
    assert {one or other for one, other in used} == set(ACTION["inputs"])
    assert all(one["description"] and "required" not in one for one in ACTION["inputs"].values())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step["name"]))
def test_a_step_has_what_the_schema_of_composite_actions_lets_it_have(step: dict[str, Any]) -> None:
    common = {"name", "id", "if", "env"}
    allowed = {"run", "shell", "working-directory"} if "run" in step else {"uses", "with"}
    assert set(step) <= common | allowed
    assert {"run", "shell"} <= set(step) or "uses" in step
    assert all(isinstance(value, str) for value in step.get("env", {}).values())
    assert all(isinstance(one.get("default", ""), str) for one in ACTION["inputs"].values())


def test_every_output_comes_from_a_step_that_is_there() -> None:
    identifiers = {step["id"] for step in STEPS if "id" in step}
    used = set(re.findall(r"steps\.([a-z]+)\.outputs", (ROOT / "action.yml").read_text()))
    assert used <= identifiers
    written = {"exit-code", "verdict", "summary", "regressed"}
    assert {one["value"] for one in ACTION["outputs"].values()} == {
        f"${{{{ steps.gate.outputs.{name} }}}}" for name in written
    }


@pytest.mark.parametrize("step", SCRIPTS, ids=lambda step: str(step["name"]))
def test_a_script_of_the_action_is_bash_and_takes_no_expression_into_its_text(step: dict[str, Any]) -> None:
    """An expression in a script would run whatever a branch or a title is called."""
    assert step["shell"] == "bash"
    assert "${{" not in step["run"]
    assert subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False).returncode == 0
    given = {*step["env"], "GITHUB_OUTPUT", "GITHUB_BASE_REF", "GITHUB_REPOSITORY", "HEAD"}
    read = set(re.findall(r"\$\{?([A-Z_]{2,})", step["run"])) - set(
        re.findall(r"(?m)^ *(?:export )?([A-Z_]+)=", step["run"])
    )
    assert read <= given


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_each_job_of_the_workflow_is_bounded_and_its_scripts_are_bash(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 60
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[a-z-]+@v\d+|\./", step.get("uses", "./"))
        if step.get("uses") == "./":
            assert set(step.get("with", {})) <= set(ACTION["inputs"])
        assert subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True, check=False).returncode == 0
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_the_example_of_the_readme_has_five_lines_and_only_inputs_that_there_are() -> None:
    text = (ROOT / "README.md").read_text()
    found = re.search(r"```yaml\n(- uses: actions/checkout.*?)```", text, re.DOTALL)
    assert found is not None
    steps = yaml.safe_load(found[1])
    assert len(found[1].strip().splitlines()) == 5
    assert set(steps[1]["with"]) <= set(ACTION["inputs"])


# --- behaviour -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("time", "code", "verdict"), [("0.13", 1, "fail"), ("0.1", 0, "pass")])
def test_a_pull_request_is_compared_with_what_it_would_be_merged_into(
    runner: Runner, tmp_path: Path, time: str, code: int, verdict: str
) -> None:
    place = merged(tmp_path, time) if time != "0.1" else merged(tmp_path, "0.1\n")
    prepared(runner, place, command=COMMAND)
    runner.environment["GITHUB_BASE_REF"] = "main"
    done = runner.run("Gate", place)
    assert done.returncode == code, done.stderr
    assert runner.outputs["gate"]["verdict"] == verdict
    assert (runner.temp / "synapse-perf-gate.md").read_text().startswith("<!-- synapse-perf:gate -->")
    levels = [found[0] for found in map(command, done.stderr.splitlines()) if found]
    assert levels.count("error") == code
    assert git(place, "status", "--porcelain") == ""


def test_a_push_is_compared_with_the_commit_before_and_inputs_reach_the_gate(runner: Runner, tmp_path: Path) -> None:
    place = made_repository(tmp_path / "project")
    (place / "time").write_text("0.13")
    git(place, "commit", "-qam", "slower")
    assert prepared(runner, place, command=COMMAND).run("Gate", place).returncode == 1
    assert runner.outputs["gate"]["regressed"] == "command_time{command=work}"
    prepared(runner, place, command=COMMAND, effect="50%", metrics="nothing_like_it*\n")
    done = runner.run("Gate", place)
    assert (done.returncode, "measured no metric that matches nothing_like_it*" in done.stderr) == (6, True)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"command": "a 'b' \"c\"", "setup": "x > 'a file'"}, ["--setup", "x > 'a file'", "--command", "a 'b' \"c\""]),
        ({"run": "bench-cgrag --retriever 'a b:c'"}, ["--", "bench-cgrag", "--retriever", "a b:c"]),
        ({"profile": "our.toml"}, ["--profile", "our.toml"]),
    ],
)
def test_inputs_become_arguments_as_they_are(
    runner: Runner, tmp_path: Path, inputs: dict[str, str], words: list[str]
) -> None:
    tell_arguments(runner)
    (tmp_path / "part").mkdir()
    more = {"against": "v1", "metrics": "a*\n b{c=d}\n", "working-directory": "part", "allow-inconclusive": "false"}
    report = str(runner.temp / "synapse-perf-gate.md")
    judged = ["--effect", "10%", "--output", report, "--quiet"]
    paired = ["--metric", "a*", "--metric", "b{c=d}", "--against", "v1", "--max-time", "20m", *words]
    prepared(runner, tmp_path, **inputs, **more)
    given = runner.run("Gate", tmp_path).stdout.splitlines()
    assert given == [str(tmp_path / "part"), "gate", *judged, *paired]
    prepared(runner, tmp_path, **inputs, against="v1")
    assert "--allow-inconclusive" in runner.run("Gate", tmp_path).stdout.splitlines()


def test_the_branch_itself_is_compared_with_where_it_left_its_base(runner: Runner, tmp_path: Path) -> None:
    """As a workflow sees it that checks out the head of the pull request."""
    tell_arguments(runner)
    origin = made_repository(tmp_path / "origin")
    left = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "-q", "-b", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "more")
    git(origin, "checkout", "-q", "main")
    git(origin, "commit", "-q", "--allow-empty", "-m", "goes on")
    git(tmp_path, "clone", "-q", "--branch", "change", f"file://{origin}", "checkout")
    runner.environment["GITHUB_BASE_REF"] = "main"
    prepared(runner, tmp_path, command="x")
    given = runner.run("Gate", tmp_path / "checkout").stdout.splitlines()
    assert given[given.index("--against") + 1] == left


def tell_arguments(runner: Runner) -> None:
    """A tool that does nothing but say where it runs, and with what."""
    tool = runner.temp / "synapse-perf" / "bin" / "synapse-perf"
    tool.unlink()
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    tool.chmod(0o755)


def test_the_first_run_against_stored_baselines_saves_one_and_passes(runner: Runner, tmp_path: Path) -> None:
    words = f"profile-load '{embedded_models()['fast']}' -r 1 --cache 'warm' --no-fit"
    place = made_repository(tmp_path / "project")
    prepared(runner, place, run=words, against="stored")
    done = runner.run("Gate", place)
    assert done.returncode == 0, done.stderr
    assert runner.outputs["gate"]["summary"].startswith("there was no baseline: this run is it now")
    assert len(list((place / "baselines").glob("profile-load.*.json"))) == 1


@pytest.mark.parametrize("inputs", [{"command": "x"}, {}, {"run": "bench-cgrag", "setup": "x"}])
def test_stored_baselines_take_a_run_and_nothing_that_would_be_ignored(
    runner: Runner, tmp_path: Path, inputs: dict[str, str]
) -> None:
    prepared(runner, tmp_path, against="stored", **inputs)
    done = runner.run("Gate", tmp_path)
    (found,) = filter(None, map(command, done.stdout.splitlines()))
    assert (done.returncode, found[0]) == (2, "error")
    assert "stored takes the input run" in found[2]


def test_an_interpreter_that_is_too_old_is_one_annotation(runner: Runner, tmp_path: Path) -> None:
    runner.inputs = {"python": "false"}
    done = runner.run("What has to be installed", tmp_path)
    (found,) = filter(None, map(command, done.stdout.splitlines()))
    assert (done.returncode, found[0]) == (2, "error")
    assert "name one with the input python" in found[2]


def test_the_key_of_the_cache_follows_from_what_is_installed(runner: Runner, tmp_path: Path) -> None:
    judge = prepared(runner, tmp_path, command="x").outputs["place"]
    whole = prepared(runner, tmp_path).outputs["place"]
    assert judge["place"] == whole["place"] == str(runner.temp / "synapse-perf")
    assert (judge["parts"], whole["parts"]) == ("judge", "whole")
    assert judge["key"].startswith("synapse-perf-judge-")
    assert whole["key"].startswith("synapse-perf-whole-")
    assert len(whole["key"]) > len(judge["key"])  # llama.cpp is compiled for the processor


def test_the_environments_of_another_setup_are_others(runner: Runner, tmp_path: Path) -> None:
    one, same, other = (prepared(runner, tmp_path, setup=setup).outputs["place"]["environments"] for setup in "aab")
    assert one == same != other
    assert one.startswith("synapse-perf-environments-")


def test_what_is_kept_lies_where_the_tool_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNAPSE_PERF_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    kept = [Path(line).expanduser() for step in STEPS for line in step.get("with", {}).get("path", "").splitlines()]
    assert {cache_directory() / name for name in ("encoders", "environments")} <= set(kept)


@pytest.mark.parametrize(
    ("known", "method"), [("", "POST"), ("41\n42", "PATCH repos/somebody/something/issues/comments/41")]
)
def test_the_comment_of_an_earlier_run_is_renewed(runner: Runner, tmp_path: Path, known: str, method: str) -> None:
    told = commented(runner, tmp_path, known)
    assert told.returncode == 0
    assert told.stdout == ""
    asked, written = (tmp_path / "gh.log").read_text().splitlines()
    assert "issues/7/comments" in asked
    assert 'startswith("<!-- synapse-perf:gate -->")' in asked
    assert f"--method {method}" in written
    assert f"body=@{runner.temp}/synapse-perf-gate.md" in written


def test_a_comment_that_may_not_be_written_is_a_warning(runner: Runner, tmp_path: Path) -> None:
    """As for a pull request of a fork, whose token may only read."""
    runner.environment["GH_CODE"] = "1"
    told = commented(runner, tmp_path, "")
    assert told.returncode == 0
    assert "::warning title=synapse-perf::the comment could not be written" in told.stdout


def commented(runner: Runner, tmp_path: Path, known: str) -> subprocess.CompletedProcess[str]:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(FAKE_GH)
    (programs / "gh").chmod(0o755)
    (runner.temp / "synapse-perf-gate.md").write_text("<!-- synapse-perf:gate -->\n# PASS\n")
    runner.environment |= {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GH_LOG": str(tmp_path / "gh.log"),
        "GH_KNOWN": known,
    }
    assert shutil.which("gh", path=runner.environment["PATH"]) == str(programs / "gh")
    return runner.run("Comment", tmp_path)
