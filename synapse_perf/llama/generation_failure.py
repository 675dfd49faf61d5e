"""Why can a model not answer a query? One line for the user, and what to do about it."""

from __future__ import annotations


class GenerationFailed(Exception):  # noqa: N818  # says what happened
    """The model cannot answer: it is no chat model, its template is broken, the prompt is too long, a decode failed."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
