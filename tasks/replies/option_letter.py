r"""The letter of a choice in prose: `the answer is (B)`, `**Answer: C**`, `Answer: \( \text{F} \)`.

Only capital letters count, and a letter that begins a phrase without a mark between ("Answer: A
dog") does not: it is an article.  On 210 real replies with a letter each, 209 give the one that
their graders read; the other says "A. (D)".
"""

import re

from sightline.thinking import split_thinking
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import last_match, text_or_none

_SAYS = (
    r"(?:\b(?i:answer|(?:correct|right|best) (?:option|choice))"
    r"(?i: to [^.\n]{1,80}?(?= is\b))?(?:[\s*_]{0,4}(?i:is|would be|must be)\b)?"
    r"|\u7b54\u6848\s{0,2}(?:\u662f|\u4e3a)?)"
)
"""The last alternative is `the answer is` in Chinese, which real replies mix in."""
_LATEX = r"(?:\\(?:text|textbf|mathrm|mathbf|boxed)\s?\{)?"
_LETTER = r"([A-Z])(?!\w|['\u2019-]\w)(?!\s{1,4}[a-z])"
_STATED = re.compile(
    rf"{_SAYS}[\s:\uff1a*_$\\(\[{{}}\"']{{0,12}}{_LATEX}(?:(?i:option|choice)\s)?[\s*(]{{0,4}}{_LETTER}"
)
_ALONE = re.compile(r"\s*+\(?([A-Z])[).:]?(?:\s(?:is|would be)\s(?:the\s)?correct\b.{0,80})?\s*+\Z")


def parse(text: str) -> ParsedReply:
    """Return the letter that `text` settles on; the reasoning is the prose around it."""
    thinking, rest = split_thinking(text)
    found = last_match(_STATED, rest) or _ALONE.match(rest)
    if found is None:
        return ParsedReply(Grammar.OPTION_LETTER, thinking)
    return ParsedReply(
        Grammar.OPTION_LETTER,
        thinking=thinking,
        reasoning=thinking or text_or_none(rest[: found.start()]) or text_or_none(rest),
        answer=found[1],
    )
