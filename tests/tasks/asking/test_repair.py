"""What is said to a reply that cannot be read."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.asking.repair import MAX_REPLY_CHARS, repair_turn


def test_repair_turn_sends_the_reply_without_its_thinking_and_says_what_is_wrong():
    turn = repair_turn("<think>hm</think>\n42", "expected JSON,\nfound a number")
    assert turn.reply == "42"
    assert "could not be read: expected JSON, found a number." in turn.text


@given(st.text(max_size=6000), st.text(max_size=100))
def test_repair_turn_of_any_reply_is_bounded_and_the_same_every_time(reply: str, problem: str):
    turn = repair_turn(reply, problem)
    assert turn == repair_turn(reply, problem)
    assert len(turn.reply) <= MAX_REPLY_CHARS
    assert bool(turn.reply) == bool(reply)
