"""From the replies about one chain to findings, one rule each; null is what cannot be decided."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sightline.outcomes import Outcome
from tasks.answers import Known, match_answer
from tasks.review.case import ReviewCase
from tasks.review.params import JudgeParams, NeedsImageParams, ReviewParams
from tasks.review.replies import Guess, ReviewReply, Reworded, Score

JUDGE = "judge"
KEEPS_ANSWER = "rewrite_keeps_answer"
KEEPS_CITES = "rewrite_keeps_cites"
NEEDS_IMAGE = "needs_image"

_CITE = re.compile(r"\(\s*\[[^\[\]()]{1,200}\][^\[\]()]{0,40}\)")
"""The bracket of `name ([x0, y0, x1, y1], depth 0.83)`; a rewriter may change the name's words."""


@dataclass(frozen=True, slots=True)
class Said:
    """The last reply of one draw; `reply` is null if the call left nothing to read."""

    generation_id: str
    review_id: str
    outcome: Outcome
    reply: ReviewReply | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found about a chain; `passed` is null if it could not be decided."""

    rule: str
    passed: bool | None
    score: float | None
    detail: str


def findings_of(case: ReviewCase, said: Sequence[Said], params: ReviewParams) -> Iterator[Finding]:
    """Yield the findings of one review about one chain; none if nothing was asked about it."""
    if not said:
        return
    if isinstance(params, JudgeParams):
        yield judged(said, params)
    elif isinstance(params, NeedsImageParams):
        yield needs_image(case, said, params)
    else:
        yield keeps_answer(case, said)
        yield keeps_cites(case, said)


def judged(said: Sequence[Said], params: JudgeParams) -> Finding:
    """Return whether the mean score of the draws reaches the threshold."""
    scores = [one.reply for one in said if isinstance(one.reply, Score)]
    if not scores:
        return Finding(JUDGE, None, None, f"none of {len(said)} replies gives a score")
    mean = sum(score.score for score in scores) / len(scores)
    listed = ", ".join(f"{score.score:g}" for score in scores)
    reason = next((score.reason for score in scores if score.reason), "no reason given")
    return Finding(JUDGE, mean >= params.threshold, mean, f"scores {listed}: {reason}")


def needs_image(case: ReviewCase, said: Sequence[Said], params: NeedsImageParams) -> Finding:
    """Return whether the answer is out of reach without the image; the score is the share right.

    Where no answer is known, the chain's own counts: a guess that reaches it did without the image.
    """
    answer = case.given_answer if case.known_answer is None else case.known_answer
    known = Known(answer, case.answer_kind, case.choices)
    decided = [right for one in said if (right := _is_right(one, known, params)) is not None]
    if not decided:
        return Finding(NEEDS_IMAGE, None, None, f"none of {len(said)} replies can be compared")
    share = sum(decided) / len(decided)
    guesses = [one.reply.answer for one in said if isinstance(one.reply, Guess)]
    detail = f"{sum(decided)} of {len(decided)} right without it: {answer!r}, guessed {guesses}"
    return Finding(NEEDS_IMAGE, share <= params.most_right, share, detail)


def _is_right(said: Said, known: Known, params: NeedsImageParams) -> bool | None:
    if said.outcome is Outcome.REFUSED:
        return False
    if not isinstance(said.reply, Guess):
        return None
    return match_answer(said.reply.answer, known, params.relative_tolerance).matched


def keeps_answer(case: ReviewCase, said: Sequence[Said]) -> Finding:
    """Return whether every reworded chain has all its reasonings and says the same answer."""
    found = [_kept_answer(case, one.reply) for one in said if isinstance(one.reply, Reworded)]
    if not found:
        return Finding(KEEPS_ANSWER, None, None, f"none of {len(said)} replies can be read")
    lost = [problem for problem in found if problem]
    share = 1 - len(lost) / len(found)
    return Finding(KEEPS_ANSWER, not lost, share, lost[0] if lost else "same answer and number")


def _kept_answer(case: ReviewCase, reply: Reworded) -> str:
    """Return what was lost, nothing if all was kept."""
    if len(reply.texts) != len(case.reasonings):
        return f"expected {len(case.reasonings)} reasonings, found {len(reply.texts)}"
    match = match_answer(reply.answer, Known(case.given_answer, case.answer_kind, case.choices))
    return "" if match.matched else f"expected {case.given_answer!r}, found {reply.answer!r}"


def keeps_cites(case: ReviewCase, said: Sequence[Said]) -> Finding:
    """Return whether every box that the chain cites is cited as often when reworded."""
    cited = _cites([reasoning.text for reasoning in case.reasonings])
    reworded = [one.reply for one in said if isinstance(one.reply, Reworded)]
    if not cited or not reworded:
        what = "nothing is cited" if reworded else f"none of {len(said)} replies can be read"
        return Finding(KEEPS_CITES, None, None, what)
    total = cited.total() * len(reworded)
    kept = sum((cited & _cites(reply.texts)).total() for reply in reworded)
    added = sum((_cites(reply.texts) - cited).total() for reply in reworded)
    detail = f"{kept} of {total} citations kept, {added} changed or added"
    return Finding(KEEPS_CITES, kept == total and not added, kept / total, detail)


def _cites(texts: Sequence[str]) -> Counter[str]:
    found = (re.sub(r"\s", "", cite) for text in texts for cite in _CITE.findall(text))
    return Counter(found)
