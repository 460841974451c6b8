"""Errors Sightline raises, and the codes it writes for rows it could not use.

Two kinds of trouble are kept apart:

* a *batch, recipe or lake* cannot be used at all: raise a `SightlineError`, the task fails;
* one *row* is bad: write a row with a `Failure` code to `failures` and go on.

    SightlineError
    ├── UsageError              the user's input is wrong (exit code 2)
    │   ├── RecipeError         a recipe names something that does not exist or does not fit
    │   └── SourceError         a source cannot be read at all
    ├── ContractError           a table does not have the schema its contract names
    ├── LakeError               the lake cannot be read or committed to
    ├── PoolError               workers could not be built or died too often
    ├── CheckpointError         weights are missing, incomplete or of the wrong kind
    └── TeacherError            the endpoint as a whole is unusable (wrong key, unknown model)
        └── BudgetError         the next call would cross the budget
"""

from enum import StrEnum

MAX_DETAIL_CHARS = 500
"""Length of `failures.detail`; longer texts are cut, never the row."""


class SightlineError(Exception):
    """Base of every error raised on purpose; its message says expected, found and next step."""


class UsageError(SightlineError):
    """The user's input is wrong; nothing was changed."""


class RecipeError(UsageError):
    """A recipe names something that does not exist or does not fit."""


class SourceError(UsageError):
    """A source cannot be read at all, as opposed to one bad row in it."""


class ContractError(SightlineError):
    """A table does not have the schema its contract names."""


class LakeError(SightlineError):
    """The lake cannot be read or committed to."""


class PoolError(SightlineError):
    """Workers could not be built, or died more often than they may."""


class CheckpointError(SightlineError):
    """Model weights are missing, incomplete or of the wrong kind."""


class TeacherError(SightlineError):
    """The endpoint as a whole is unusable; one bad reply is a `Failure` or an outcome."""


class BudgetError(TeacherError):
    """The next teacher call would cross the budget; everything bought so far is kept."""


class Failure(StrEnum):
    """Why a row could not be used; stored in `failures.code`, so values are only ever added."""

    IMAGE_MISSING = "image_missing"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TRUNCATED = "image_truncated"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_UNSUPPORTED = "image_unsupported"
    IMAGE_SIZE_MISMATCH = "image_size_mismatch"
    PATH_OUTSIDE_SOURCE = "path_outside_source"
    ROW_MALFORMED = "row_malformed"
    ROW_DUPLICATED = "row_duplicated"
    BOX_MALFORMED = "box_malformed"
    BOX_DEGENERATE = "box_degenerate"
    BOX_OUTSIDE = "box_outside"
    BOX_CONVENTION = "box_convention"
    WORKER_ERROR = "worker_error"
    DEPTH_MISSING = "depth_missing"
    SEGMENT_MISSING = "segment_missing"
    TEACHER_ERROR = "teacher_error"
    TEACHER_REFUSED = "teacher_refused"
    TEACHER_TRUNCATED = "teacher_truncated"
    REPLY_EMPTY = "reply_empty"
    REPLY_MALFORMED = "reply_malformed"
    ROI_MALFORMED = "roi_malformed"
    CHAIN_INCOMPLETE = "chain_incomplete"
    ASK_SKIPPED = "ask_skipped"
    VIDEO_UNREADABLE = "video_unreadable"
    VIDEO_UNSUPPORTED = "video_unsupported"
    VIDEO_TOO_LARGE = "video_too_large"
    VIDEO_DAMAGED = "video_damaged"


FAILURE_DOCS: dict[Failure, str] = {
    Failure.IMAGE_MISSING: "The row names an image that the source does not hold.",
    Failure.IMAGE_UNREADABLE: "The bytes are no image that any decoder here accepts.",
    Failure.IMAGE_TRUNCATED: "The image data ends early; half an image is no image.",
    Failure.IMAGE_TOO_LARGE: "More pixels or bytes than the recipe allows (decompression bombs).",
    Failure.IMAGE_TOO_SMALL: "Smaller than the recipe's minimum side.",
    Failure.IMAGE_UNSUPPORTED: "A real image of a format or mode that is not supported.",
    Failure.IMAGE_SIZE_MISMATCH: "Declared and decoded width or height differ.",
    Failure.PATH_OUTSIDE_SOURCE: "The image path leaves the source folder.",
    Failure.ROW_MALFORMED: "The source row lacks a field or holds one of the wrong type.",
    Failure.ROW_DUPLICATED: "The same row stands in the source more than once.",
    Failure.BOX_MALFORMED: "A box is not four finite numbers.",
    Failure.BOX_DEGENERATE: "A box has no area.",
    Failure.BOX_OUTSIDE: "A box lies wholly outside its image.",
    Failure.BOX_CONVENTION: "Two statements of one box disagree under the named convention.",
    Failure.WORKER_ERROR: "The worker raised on this row alone; the detail names the error.",
    Failure.DEPTH_MISSING: "The image has no depth map, so depth facts could not be made.",
    Failure.SEGMENT_MISSING: "The image has no segments, so objects could not be made.",
    Failure.TEACHER_ERROR: "The endpoint gave no usable response after all retries.",
    Failure.TEACHER_REFUSED: "The teacher declined to answer; the reply is kept.",
    Failure.TEACHER_TRUNCATED: "The reply hit the token limit; the reply is kept.",
    Failure.REPLY_EMPTY: "The reply holds no text.",
    Failure.REPLY_MALFORMED: "The reply does not follow the grammar its prompt asked for.",
    Failure.ROI_MALFORMED: "The reply's region is no box inside the view; the view was kept.",
    Failure.CHAIN_INCOMPLETE: "A chain ended without a final answer.",
    Failure.ASK_SKIPPED: "Nothing was asked, because what the question needs is not there.",
    Failure.VIDEO_UNREADABLE: "The bytes are no video that any demuxer here reads.",
    Failure.VIDEO_UNSUPPORTED: "A real file without a video stream, or of a codec not read.",
    Failure.VIDEO_TOO_LARGE: "More pixels, seconds, frames or bytes than the source allows.",
    Failure.VIDEO_DAMAGED: "A video, or a frame of it, is damaged or cut short; the rest is kept.",
}
"""One sentence per code, for the reference page."""


def clip_detail(text: str) -> str:
    """Return `text` as one line of at most `MAX_DETAIL_CHARS` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL_CHARS else line[: MAX_DETAIL_CHARS - 1] + "…"
