"""Does a stated answer equal the known one?  Yes, no, or it cannot be decided.

A rule here never guesses: an answer that states two numbers, or an option's letter with another
option's text, is undecided (null), not wrong.  Money, dates and plain figures are compared
strictly, since a lost digit or sign there is an error and not a style; only white space, case and
a final full stop are forgiven.  ChartQA's relaxed 5 % (arXiv:2410.16198) is a parameter.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
"""Words read as numbers, each at its own value."""

_SAME_UNITS = (
    ("%", "percent", "per cent"), ("$", "usd", "dollar", "dollars"), ("€", "eur", "euro", "euros"),
    ("£", "gbp", "pound", "pounds"), ("rm", "myr"), ("mm", "millimetres", "millimeters"),
    ("cm", "centimetres", "centimeters"), ("m", "metre", "metres", "meter", "meters"),
    ("km", "kilometres", "kilometers"), ("g", "gram", "grams"), ("kg", "kilogram", "kilograms"),
    ("s", "second", "seconds"), ("min", "minute", "minutes"), ("h", "hour", "hours"),
    ("°", "degree", "degrees"), ("thousand",), ("million",), ("billion",),
)  # fmt: skip
UNITS = {spelling: names[0] for names in _SAME_UNITS for spelling in names}
"""Spelling of a unit -> the unit; two answers that name different units differ."""

_FIGURE = re.compile(
    r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})++(?![\d,])|\d++)(?:\.\d++)?+(?!\.?\d)"
    r"|(?<![\w.])-?\.\d++(?!\.?\d)"
)
_WORD = re.compile(r"[^\W\d_]+|[%$€£°]")
_STRICT = re.compile(
    r"(?:[$€£¥]|rm|usd|myr|eur|gbp)?[-+]?[$€£¥]?\d[\d.,:/\-]*(?:%|[a-z]{2,9}\d[\d.,:/\-]*|rm|usd|eur)?"
)
"""A figure, an amount of money or a date, after white space is removed."""

_MINUS_SIGN = "\N{MINUS SIGN}"
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"(?<!\d)[^\w\s]+|[^\w\s]+(?!\d)|_+")
_LETTERED = re.compile(r"\(?([a-z])(?:\)[.:]?|[.:])\s*(.*)", re.DOTALL)
_LETTER_ONLY = re.compile(r"(?:the )?(?:(?:answer|option|choice)(?: is)?:? )*\(?([a-z])\)?[.]?")
_POLARITY = {"yes": True, "true": True, "no": False, "false": False}


class AnswerKind(StrEnum):
    """How answers compare; stored in `samples.answer_kind`."""

    YES_NO = "yes_no"
    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the right answer."""

    answer: str | None
    kind: str | None
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Whether the answers agree; `matched` is None if that cannot be decided."""

    matched: bool | None
    reason: str


def match_answer(stated: str | None, known: Known, relative_tolerance: float = 0.0) -> Match:
    """Return whether `stated` equals the known answer.

    Args:
        stated: what the chain answered.
        known: answer, kind and options; without a kind, options mean `choice`, else `text`.
        relative_tolerance: of the known number; 0.05 is ChartQA's relaxed accuracy.
    """
    if known.answer is None or not known.answer.strip():
        return Match(None, "no answer is known")
    if stated is None or not stated.strip():
        return Match(None, "no answer is stated")
    kind = known.kind or (AnswerKind.CHOICE if known.choices else AnswerKind.TEXT)
    if kind not in set(AnswerKind):
        return Match(None, f"unknown answer kind {kind!r}; known are {', '.join(AnswerKind)}")
    return _by_kind(AnswerKind(kind), stated, known.answer, known.choices, relative_tolerance)


def _by_kind(
    kind: AnswerKind, stated: str, known: str, choices: Sequence[str], relative_tolerance: float
) -> Match:
    if kind is AnswerKind.YES_NO:
        return _compare(polarity(stated), polarity(known), "yes or no")
    if kind is AnswerKind.NUMBER:
        return _match_numbers(stated, known, relative_tolerance)
    if kind is AnswerKind.CHOICE:
        said, right = option_of(stated, choices), option_of(known, choices)
        return _compare(said, right, "one of the options")
    return _match_texts(stated, known)


def _compare(stated: object, known: object, expected: str) -> Match:
    if known is None:
        return Match(None, f"the known answer is not {expected}")
    if stated is None:
        return Match(None, f"the stated answer is not clearly {expected}")
    return Match(stated == known, "equal" if stated == known else "different")


def polarity(text: str) -> bool | None:
    """Return the yes or no that a text says; the first word decides if it says both."""
    words = re.findall(r"[a-z]+", _folded(text))
    said = {_POLARITY[word] for word in words if word in _POLARITY}
    if len(said) == 1:
        return said.pop()
    return _POLARITY.get(words[0]) if words else None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and the known unit beside it, if any."""

    value: Decimal
    unit: str | None


def quantity_of(text: str) -> Quantity | None:
    """Return the one number a text states; None if it states none or several different ones."""
    folded = _folded(text)
    values = {
        Decimal(figure.replace(",", ""))
        for figure in _FIGURE.findall(folded.replace(_MINUS_SIGN, "-"))
    }
    words = _WORD.findall(folded)
    values |= {Decimal(NUMBER_WORDS.index(word)) for word in words if word in NUMBER_WORDS}
    if len(values) != 1:
        return None
    units = {UNITS[word] for word in words if word in UNITS}
    return Quantity(values.pop(), units.pop() if len(units) == 1 else None)


def _match_numbers(stated: str, known: str, relative_tolerance: float) -> Match:
    said, right = quantity_of(stated), quantity_of(known)
    if said is None or right is None:
        return _compare(said, right, "one number")
    if said.unit and right.unit and said.unit != right.unit:
        return Match(matched=False, reason=f"expected {right.unit}, found {said.unit}")
    error = abs(said.value - right.value)
    allowed = abs(right.value) * Decimal(str(relative_tolerance))
    return Match(error <= allowed, f"off by {error}")


def option_of(text: str, choices: Sequence[str]) -> int | None:
    """Return the index of the option that a text names by letter, by text, or by both alike."""
    folded = _folded(text)
    by_text = _index_of(text, choices)
    alone = _LETTER_ONLY.fullmatch(folded)
    if alone:
        by_letter = _letter_index(alone[1], choices)
        agree = by_text is None or by_letter is None or by_text == by_letter
        return (by_text if by_letter is None else by_letter) if agree else None
    lettered = _LETTERED.fullmatch(folded)
    if lettered is None or by_text is not None:
        return by_text
    by_letter, rest = _letter_index(lettered[1], choices), _index_of(lettered[2], choices)
    return by_letter if rest is None or rest == by_letter else None


def _letter_index(letter: str, choices: Sequence[str]) -> int | None:
    index = ord(letter) - ord("a")
    return index if index < len(choices) else None


def _index_of(text: str, choices: Sequence[str]) -> int | None:
    wanted = comparable(text)
    found = [i for i, choice in enumerate(choices) if comparable(choice) == wanted]
    return found[0] if len(found) == 1 and wanted else None


def _match_texts(stated: str, known: str) -> Match:
    equal = comparable(stated) == comparable(known)
    return Match(equal, "equal" if equal else "different")


def comparable(text: str) -> str:
    """Return the form in which texts are compared; figures, money and dates keep every sign."""
    folded = _folded(text).rstrip(".")
    packed = "".join(folded.split())
    if _STRICT.fullmatch(packed):
        return packed
    loose = " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub(" ", folded)).split())
    return loose or packed


def _folded(text: str) -> str:
    """Return NFKC, lower case, single spaces: what all comparisons begin with."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
