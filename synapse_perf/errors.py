"""The errors that a user may meet, each with its remedy and the exit code of the contract."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the program; when several apply, the first of `PRECEDENCE` wins."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    NO_BASELINE = 5
    MEASUREMENT_FAILED = 6
    INTERRUPTED = 130


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


class MeasurementError(SynapsePerfError):
    """Failed while measuring: a crash, a time-out, no memory left."""

    exit_code = ExitCode.MEASUREMENT_FAILED


class NoBaselineError(SynapsePerfError):
    """The baseline that was named does not exist."""

    exit_code = ExitCode.NO_BASELINE


class NotComparableError(SynapsePerfError):
    """Two results that cannot be compared: hardware class, schema or workload differ."""

    exit_code = ExitCode.NOT_COMPARABLE
