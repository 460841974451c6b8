"""The rules, one function each: from a chain (or one reply of it) to a finding.

A finding is true, false or undecided (None), with the measured value behind it.  Undecided is for
what the data cannot tell: no known answer, no target, nothing cited.  It is never used for a reply
that failed to say what was asked; that is false.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sightline.boxes import Box, area, intersection_area, iou
from tasks.answers import Known, match_answer
from tasks.replies.parsed import Defect
from tasks.verify.chains import Chain, Cited, DepthObject, Reply

ANSWER_MATCH = "answer_match"
CHAIN_COMPLETE = "chain_complete"
ROI_VALID = "roi_valid"
ROI_CONTAINS_TARGET = "roi_contains_target"
ROI_IOU = "roi_iou"
BOXES_CITED_VALID = "boxes_cited_valid"
DEPTH_CITED_AGREES = "depth_cited_agrees"
REPLY_CLEAN = "reply_clean"
CLEAN_REQUIRED = "reply_clean_required"

_EDGE_SLACK = 0.005
"""Half a percent of the view: what rounding to two decimals may put outside."""


@dataclass(frozen=True, slots=True)
class VerifyParams:
    """What the rules measure against; part of the recipe's identity.

    Attributes:
        relative_tolerance: allowed relative error of number answers; 0.05 for ChartQA.
        least_cover: share of the target a stated region must hold; below 1 for rounding.
        least_iou: least IoU of the last region and the target (IoU@0.5 of arXiv:2511.17731).
        cite_iou: least IoU at which a cited box names an object.
        depth_tolerance: largest difference of a cited and a measured depth, in [0, 1].
        clean_replies: whether a chain with a defective reply is rejected; the defects are found
            either way.
    """

    relative_tolerance: float = 0.0
    least_cover: float = 0.99
    least_iou: float = 0.5
    cite_iou: float = 0.5
    depth_tolerance: float = 0.1
    clean_replies: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found; `passed` is None if it could not be decided."""

    passed: bool | None
    score: float | None = None
    detail: str | None = None


ChainRule = Callable[[Chain, VerifyParams], Finding]
ReplyRule = Callable[[Reply, Box | None, VerifyParams], Finding]


def answer_match(chain: Chain, params: VerifyParams) -> Finding:
    """Return whether the chain's answer is the known one."""
    sample = chain.sample
    known = Known(sample.answer, sample.answer_kind, sample.choices)
    match = match_answer(chain.answer, known, params.relative_tolerance)
    score = None if match.matched is None else float(match.matched)
    detail = f"{match.reason}: expected {sample.answer!r}, found {chain.answer!r}"
    return Finding(match.matched, score, detail)


def chain_complete(chain: Chain, _params: VerifyParams) -> Finding:
    """Return whether the chain reached an answer; the score counts its replies."""
    replies = len(chain.replies)
    if chain.answer is not None:
        return Finding(passed=True, score=replies, detail=f"answered after {replies} replies")
    last = chain.replies[-1].stage if chain.replies else "no reply"
    return Finding(passed=False, score=replies, detail=f"no answer; the last reply is {last}")


def roi_iou(chain: Chain, params: VerifyParams) -> Finding:
    """Return whether the last region that was zoomed to is close to the target."""
    regions = [r.region.fixed_original for r in chain.replies if r.region is not None]
    fixed = [box for box in regions if box is not None]
    if not fixed or chain.sample.target is None:
        return Finding(None, detail="no region was zoomed to" if not fixed else "no known target")
    score = iou(fixed[-1], chain.sample.target)
    return Finding(score >= params.least_iou, score, f"expected at least {params.least_iou}")


def boxes_cited_valid(chain: Chain, _params: VerifyParams) -> Finding:
    """Return whether every cited box lies in the view it was cited in; the score is their share."""
    cites = chain.cites
    if not cites:
        return Finding(None, detail="nothing is cited")
    wrong = [cite.name or "unnamed" for cite in cites if cite.box is None]
    share = 1 - len(wrong) / len(cites)
    return Finding(not wrong, share, f"{len(wrong)} of {len(cites)} are no boxes in their view")


def depth_cited_agrees(chain: Chain, params: VerifyParams) -> Finding:
    """Return whether every cited box with a depth is an object of about that depth.

    The published example of such citations contradicts itself (arXiv:2511.17731), so each tuple is
    looked up again.
    """
    cites = [cite for cite in chain.cites if cite.depth is not None]
    if not cites or not chain.objects:
        what = "no depth is cited" if not cites else "no object has a depth"
        return Finding(None, detail=what)
    wrong = [cite.name or "unnamed" for cite in cites if not _agrees(cite, chain.objects, params)]
    share = 1 - len(wrong) / len(cites)
    return Finding(not wrong, share, f"{len(wrong)} of {len(cites)} match no object")


def _agrees(cite: Cited, objects: tuple[DepthObject, ...], params: VerifyParams) -> bool:
    box, depth = cite.box, cite.depth
    return (
        box is not None
        and depth is not None
        and any(
            iou(box, o.box) >= params.cite_iou and abs(depth - o.depth) <= params.depth_tolerance
            for o in objects
        )
    )


def reply_clean(chain: Chain, _params: VerifyParams) -> Finding:
    """Return whether no reply has a defect; the score counts them.

    A missing opening tag is no defect here: chat templates write it before the reply begins.
    """
    found = [
        f"{defect} in round {reply.round}"
        for reply in chain.replies
        for defect in reply.defects
        if defect is not Defect.MISSING_OPENING
    ]
    return Finding(not found, len(found), "; ".join(found) or "no defect")


def roi_valid(reply: Reply, _target: Box | None, _params: VerifyParams) -> Finding:
    """Return whether the stated region is a box with an area inside its view."""
    stated = reply.region.stated if reply.region else None
    if stated is None:
        return Finding(passed=False, detail="no region is stated")
    inside = min(stated) >= -_EDGE_SLACK and max(stated) <= 1 + _EDGE_SLACK
    size = area(stated)
    detail = f"found {[round(value, 4) for value in stated]}"
    return Finding(inside and size > 0, size, detail)


def roi_contains_target(reply: Reply, target: Box | None, params: VerifyParams) -> Finding:
    """Return whether the region as *stated* holds the target; the score is the share it holds."""
    stated = reply.region.stated_original if reply.region else None
    if target is None:
        return Finding(None, detail="no known target")
    if stated is None:
        return Finding(None, detail="no region is stated")
    cover = intersection_area(stated, target) / area(target)
    return Finding(cover >= params.least_cover, cover, f"expected {params.least_cover} of it")


CHAIN_RULES: dict[str, ChainRule] = {
    ANSWER_MATCH: answer_match,
    BOXES_CITED_VALID: boxes_cited_valid,
    CHAIN_COMPLETE: chain_complete,
    DEPTH_CITED_AGREES: depth_cited_agrees,
    REPLY_CLEAN: reply_clean,
    ROI_IOU: roi_iou,
}
"""Rules whose subject is a chain."""


def chain_rules(params: VerifyParams) -> Mapping[str, ChainRule]:
    """Return the rules of a recipe whose subject is a chain.

    Views know no recipe, so one that asks for clean replies says so by a rule that decides.
    """
    required = {CLEAN_REQUIRED: reply_clean} if params.clean_replies else {}
    return CHAIN_RULES | required


ZOOM_RULES: dict[str, ReplyRule] = {
    ROI_CONTAINS_TARGET: roi_contains_target,
    ROI_VALID: roi_valid,
}
"""Rules whose subject is one reply to a zoom ask."""
