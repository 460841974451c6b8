"""When chains without an answer are bad rows, and when they are an outage of the teacher."""

import pytest

from sightline.errors import TeacherError
from tasks.asking.live import refuse_outage


@pytest.mark.parametrize(
    ("unanswered", "chains", "is_outage"),
    [(0, 5, False), (2, 2, False), (3, 5, True), (3, 30, False), (4, 30, True), (200, 2000, False),
     (201, 2000, True)],
)  # fmt: skip
def test_chains_without_answer_are_an_outage_if_neither_few_nor_a_small_share(
    unanswered: int,
    chains: int,
    is_outage: bool,  # noqa: FBT001
):
    reasons = ["gave up after 6 tries: HTTP 500"] * unanswered
    if not is_outage:
        refuse_outage(reasons, chains)
        return
    with pytest.raises(TeacherError, match=rf"{unanswered} of {chains} chains.*HTTP 500"):
        refuse_outage(reasons, chains)
