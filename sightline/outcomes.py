"""What became of a teacher call; one closed set for the ledger, generations and the progress line."""

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
