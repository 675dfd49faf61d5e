"""What is asked of a model, and what do the stamps of its answer say about speed?"""

from __future__ import annotations

from typing import NamedTuple


class Wanted(NamedTuple):
    """How an answer is made: `max_tokens` at most, or exactly where the length is fixed; temperature 0 is greedy."""

    max_tokens: int
    is_fixed_length: bool = False  # goes on past the token that ends an answer
    temperature: float = 0.0
    seed: int = 0


class Answer(NamedTuple):
    """One answer with its stamps, in ns on the machine-wide clock.

    From the first token on, each nanosecond is counted as decoding, sampling or detokenising.
    """

    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    reused_tokens: int  # of the prompt, found in the KV cache
    ended_by: str  # length, end (the model's own) or context (no room for more)
    started_ns: int
    templated_ns: int
    tokenised_ns: int
    prefilled_ns: int
    token_ns: tuple[int, ...]  # when the text of each token was there
    ended_ns: int
    decoding_ns: int
    sampling_ns: int
    detokenising_ns: int
    cpu_ns: int  # of all threads of the process

    @property
    def total_s(self) -> float:
        return (self.ended_ns - self.started_ns) * 1e-9

    @property
    def prefill_s(self) -> float:
        return (self.prefilled_ns - self.tokenised_ns) * 1e-9

    @property
    def first_token_s(self) -> float | None:
        """Time to first token, from the call on; None where the model ended at once."""
        return (self.token_ns[0] - self.started_ns) * 1e-9 if self.token_ns else None

    @property
    def gaps_s(self) -> list[float]:
        """Between one token and the next."""
        return [(later - earlier) * 1e-9 for earlier, later in zip(self.token_ns, self.token_ns[1:], strict=False)]

    @property
    def decode_rate(self) -> float | None:
        """Tokens per second after the first: (n - 1) / (t_last - t_first), sampling and detokenising included."""
        if len(self.token_ns) < 2 or self.token_ns[-1] == self.token_ns[0]:
            return None
        return (len(self.token_ns) - 1) / ((self.token_ns[-1] - self.token_ns[0]) * 1e-9)

    @property
    def prefill_rate(self) -> float:
        """Prompt tokens per second: those that had to be evaluated / prefill time."""
        return (self.prompt_tokens - self.reused_tokens) / self.prefill_s
