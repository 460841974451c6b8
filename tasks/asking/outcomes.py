"""What each outcome of a call means for whoever asked; the rule for every member of `Outcome`.

    outcome     paid    in the ledger  asked again        in `generations`  failure code
    success     yes     yes            never              yes               -
    truncated   yes     yes            once, twice as     yes               teacher_truncated
                                       much room
    refused     mostly  yes            never              yes               teacher_refused
    empty       yes     yes            never              yes               reply_empty
    malformed   yes     as success     one repair turn    as success        reply_malformed, by
                                                                            whoever reads the reply
    error       no      no             by the next build  yes               teacher_error
    skipped     no      no             when what was      no                ask_skipped and others
                                       missing is there

A refusal is data: it is kept and never bought again.  A truncated reply is never read, because half
a number is a number.  `malformed` is no fact of a call: a better parser may read the same reply.
"""

from collections.abc import Mapping

from sightline.errors import Failure
from sightline.outcomes import Outcome

CALL_FAILURES: Mapping[Outcome, Failure] = {
    Outcome.ERROR: Failure.TEACHER_ERROR,
    Outcome.SKIPPED: Failure.TEACHER_ERROR,
    Outcome.REFUSED: Failure.TEACHER_REFUSED,
    Outcome.TRUNCATED: Failure.TEACHER_TRUNCATED,
    Outcome.EMPTY: Failure.REPLY_EMPTY,
}
"""Outcomes that leave nothing to parse, as failures of the step that called."""
