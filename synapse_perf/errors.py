"""The errors that a user may meet, each with its remedy and the exit code of the contract."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the program; `MEANINGS` has the words, `PRECEDENCE` which wins."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    NO_BASELINE = 5
    MEASUREMENT_FAILED = 6
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.PASS: "pass",
    ExitCode.FAIL: "a target missed, a regression or a leak confirmed",
    ExitCode.USAGE: "wrong before measuring: usage, profile, or missing, unreadable or corrupt input",
    ExitCode.INCONCLUSIVE: "inconclusive: too close, too noisy, or the machine unfit",
    ExitCode.NOT_COMPARABLE: "not comparable: hardware class, schema or workload differ",
    ExitCode.NO_BASELINE: "the baseline is missing",
    ExitCode.MEASUREMENT_FAILED: "failed while measuring: a crash, a time-out, no memory left",
    ExitCode.INTERRUPTED: "interrupted",
}

# When several apply, the first of these wins.
PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.MEASUREMENT_FAILED,
    ExitCode.NO_BASELINE,
    ExitCode.NOT_COMPARABLE,
    ExitCode.FAIL,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASS,
)


class SynapsePerfError(Exception):
    """An error that is told to the user as one line: what happened, and what to do about it."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class InputError(SynapsePerfError):
    """Wrong before measuring: usage, profile, or missing, unreadable or corrupt input."""


class NothingNamedError(InputError):
    """A command was not told what to measure; as a part of `run` its rows say so, and nothing else is wrong."""


class MeasurementError(SynapsePerfError):
    """Failed while measuring: a crash, a time-out, no memory left."""

    exit_code = ExitCode.MEASUREMENT_FAILED


class NoBaselineError(SynapsePerfError):
    """The baseline that was named does not exist."""

    exit_code = ExitCode.NO_BASELINE


class NotComparableError(SynapsePerfError):
    """Two results that cannot be compared: hardware class, schema or workload differ."""

    exit_code = ExitCode.NOT_COMPARABLE
