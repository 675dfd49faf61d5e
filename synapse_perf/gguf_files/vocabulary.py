"""Which tokens and merges give a synthesised model a tokenizer of true size that works on any text?

Byte-level BPE as GPT-2 defined it: all 256 bytes, then tokens each merged from two earlier ones. All merged tokens
are whole UTF-8, because llama-cpp-python generates past its limit while a character is incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, product

from synapse_perf.gguf_files.english import FRAGMENTS, WORDS

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
SPACE = "Ġ"  # GPT-2's visible stand-in for the byte 0x20


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens in the order of their ids, as GGUF stores them; `held_back` marks those that generation must not give."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    held_back: tuple[bool, ...]

    def token_id(self, text: str) -> int:
        return self.tokens.index(text)


def bpe_vocabulary(
    pre: str, ordinary: int, merges: int, specials: Sequence[tuple[str, int]], size: int, every_split: bool = False
) -> Vocabulary:
    """Byte-level BPE with `ordinary` tokens, `merges` merges, then the special ones, filled up to `size` with unused.

    `every_split`: merges name each way to cut a token into two, as converted tiktoken vocabularies do, not just one.
    """
    pieces = _ordinary_tokens(ordinary)
    rules = (
        _all_merges(pieces, merges) if every_split else [f"{left} {right}" for left, right in pieces.values() if left]
    )
    unused = range(ordinary + len(specials), size)
    tokens = (*pieces, *(text for text, _ in specials), *(f"[PAD{number}]" for number in unused))
    types = (*(NORMAL for _ in pieces), *(kind for _, kind in specials), *(UNUSED for _ in unused))
    whole = [_is_readable_byte(byte) for byte in _bytes_in_order()]
    held_back = (*(not readable for readable in whole), *(False for _ in range(ordinary - 256)))
    return Vocabulary(
        "gpt2", pre, tokens, types, tuple(rules[:merges]), (*held_back, *(True for _ in range(size - ordinary)))
    )


def wordpiece_vocabulary(size: int) -> Vocabulary:
    """BERT's layout: [PAD], unused, [UNK] [CLS] [SEP] [MASK] at 100 to 103, characters, words; '▁' begins a word."""
    reserved = ["[PAD]", *(f"[unused{n}]" for n in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    reserved += [f"[unused{n}]" for n in range(99, 994)]
    controls = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    head = [token if token in controls else f"▁{token}" for token in reserved]
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = chain(
        (f"▁{c}" for c in characters), characters, (f"▁{word}" for word in WORDS), _latin_syllables(), _spelled_words()
    )
    tokens = tuple(islice(dict.fromkeys(chain(head, words)), size))
    types = tuple(CONTROL if token in controls else NORMAL for token in tokens)
    return Vocabulary("bert", "bert-bge", tokens, types, (), tuple(kind == CONTROL for kind in types))


@cache
def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte, in the order of its token ids."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(256 + number) for number, byte in enumerate(others)}


def _bytes_in_order() -> Iterator[int]:
    return iter(_byte_alphabet())


def _is_readable_byte(byte: int) -> bool:
    return 32 <= byte < 127 or byte in b"\t\n\r"


def _mapped(text: str) -> str:
    alphabet = _byte_alphabet()
    return "".join(alphabet[byte] for byte in text.encode())


def _ordinary_tokens(count: int) -> dict[str, tuple[str, str]]:
    """The first `count` tokens, each with the two earlier ones it is merged from; bytes have none."""
    pieces: dict[str, tuple[str, str]] = dict.fromkeys(_byte_alphabet().values(), ("", ""))
    for left, right in _pairs():
        if len(pieces) == count:
            break
        pieces.setdefault(left + right, (left, right))
    return pieces


def _pairs() -> Iterator[tuple[str, str]]:
    """Merges from the most to the least common: spaces, English words letter by letter, syllables, invented words."""
    yield from ((SPACE * known, SPACE * more) for known, more in ((1, 1), (2, 2), (4, 4), (2, 1), (4, 3)))
    yield "Ċ", "Ċ"
    for word in WORDS:
        yield from _spelled(SPACE + word)
    for start in (*WORDS[:200], *FRAGMENTS):
        yield from _spelled(start)
        yield from _spelled(start.capitalize())
        yield from _spelled(SPACE + start.capitalize())
    yield from ((SPACE, chr(letter)) for letter in range(ord("a"), ord("z") + 1))
    letters = [_mapped(letter) for letter in _ACCENTED + _CYRILLIC]
    yield from ((letter[0], letter[1]) for letter in letters)
    for parts in (_latin_parts(), _cyrillic_parts()):
        yield from ((onset, vowel) for onset, vowel, _ in parts)
        yield from ((onset + vowel, coda) for onset, vowel, coda in parts if coda)
    latin, cyrillic = list(_latin_syllables()), ["".join(parts) for parts in _cyrillic_parts()]
    yield from ((SPACE, syllable) for syllable in (*latin, *cyrillic))
    for syllables in (latin, cyrillic):
        for first, second in product(syllables, syllables):
            yield first, second
            yield SPACE + first, second
    latin_words, cyrillic_words = _triples(latin), _triples(cyrillic)
    while True:
        yield from islice(latin_words, _LATIN_SHARE)
        yield from islice(cyrillic_words, 1)


_LATIN_SHARE = 11  # so many Latin words for one Cyrillic: gives the mean token length of the true vocabularies, 9 bytes


def _spelled(word: str) -> Iterator[tuple[str, str]]:
    return ((word[:end], word[end]) for end in range(1, len(word)))


_ACCENTED = "àáâäåæçèéêëíîïñóôöøúùûüßœ"
_CYRILLIC = "бвгджзклмнпрстфхцчшщаеиоуыюя"
_CODAS = ("", "n", "r", "s")


@cache
def _latin_parts() -> tuple[tuple[str, str, str], ...]:
    """Onset, vowel, coda of each Latin syllable; few enough that all pairs of syllables are tokens."""
    plain = tuple((onset, vowel, "") for onset, vowel in product("bcdfghklmnprstvw", "aeiou"))
    return plain + tuple((onset, vowel, coda) for onset, vowel, coda in product("dlmst", "aeo", _CODAS) if coda)


@cache
def _cyrillic_parts() -> tuple[tuple[str, str, str], ...]:
    consonants = [_mapped(letter) for letter in "бвдклмнрст"]
    vowels = [_mapped(letter) for letter in "аеио"]
    return tuple((onset, vowel, "") for onset, vowel in product(consonants, vowels))


def _latin_syllables() -> Iterator[str]:
    return ("".join(parts) for parts in _latin_parts())


def _spelled_words() -> Iterator[str]:
    syllables = list(_latin_syllables())
    for first, second in product(syllables, syllables):
        yield f"▁{first}{second}"
    yield from (first + second for first, second in product(syllables, syllables))


def _triples(syllables: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Words of three syllables, with and without a space before them, in an order that mixes all syllables."""
    count = len(syllables)
    stride = 7919  # a prime that divides no power of the counts used: every word comes once
    for number in range(count**3):
        rest, third = divmod(number * stride % count**3, count)
        first, second = divmod(rest, count)
        yield syllables[first] + syllables[second], syllables[third]
        yield SPACE + syllables[first] + syllables[second], syllables[third]


def _all_merges(pieces: dict[str, tuple[str, str]], count: int) -> list[str]:
    """`count` merges: for each token its own, then its other cuts into two known tokens while any are wanted."""
    spare = count - (len(pieces) - 256)
    merges: list[str] = []
    for token, (left, right) in pieces.items():
        if not left:
            continue
        merges.append(f"{left} {right}")
        for cut in range(1, len(token)):
            if spare and cut != len(left) and token[:cut] in pieces and token[cut:] in pieces:
                merges.append(f"{token[:cut]} {token[cut:]}")
                spare -= 1
    return merges
