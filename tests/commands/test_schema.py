"""`schema` prints what other programs check result files with."""

from __future__ import annotations

import json

import jsonschema
import typer
from typer.testing import CliRunner

from synapse_perf.commands.schema import schema
from tests.made_results import made_result, plain


def test_the_printed_schema_accepts_a_written_result() -> None:
    app = typer.Typer()
    app.command()(schema)

    done = CliRunner().invoke(app)

    assert done.exit_code == 0
    jsonschema.Draft202012Validator(json.loads(done.stdout)).validate(plain(made_result()))
