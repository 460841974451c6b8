"""What became of a teacher call: one closed set for ledger, generations and progress."""

from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of one call; every outcome but ERROR and SKIPPED has a response that was paid for."""

    SUCCESS = "success"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    MALFORMED = "malformed"
    EMPTY = "empty"
    ERROR = "error"
    SKIPPED = "skipped"
