import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.storable import storable
from sightline.thinking import join_thinking, split_thinking


@pytest.mark.parametrize(
    ("text", "thinking", "rest"),
    [
        ("plain ", None, "plain "),
        ("<think>a</think>b", "a", "b"),
        ("<think>a\nb</think>\n\nyes", "a\nb", "yes"),
        ("<Thinking>a</Thinking>b", "a", "b"),
        ("a</think>b", "a", "b"),
        ("<think>a", "a", ""),
        ("  <think>never ends", "never ends", ""),
        ("◁think▷a◁/think▷b", "a", "b"),
        ("◁think▷a", "a", ""),
        ("[THINK]a[/THINK]b", "a", "b"),
        ("<|channel>thought\n<channel|>b", None, "b"),
        ("<think>a</think>b<think>c", "a", "b"),
        ("b <think>a</think>", "a", "b"),
        ("<think></think>b", None, "b"),
        ("I say <think> is a tag", None, "I say <think> is a tag"),
    ],
)
def test_split_thinking_with_and_without_its_tags_keeps_thinking_apart(
    text: str, thinking: str | None, rest: str
):
    assert split_thinking(text) == (thinking, rest)


TAGS = st.sampled_from(["<think>", "</think>", "◁think▷", "◁/think▷", "a", " ", "\n", "<"])


@given(st.lists(TAGS, max_size=12).map("".join))
def test_split_thinking_of_any_tags_adds_no_text(text: str):
    thinking, rest = split_thinking(text)
    assert thinking is None or thinking in text
    assert len(thinking or "") + len(rest) <= len(text)


@given(st.lists(TAGS, max_size=12).map("".join), st.text("ab ", min_size=1))
@example("</think><think></think>", "a")
def test_joined_thinking_stands_apart_again_and_nothing_is_said_twice(text: str, apart: str):
    inline, said = split_thinking(text)
    again, rest = split_thinking(join_thinking(apart, text))
    assert again == (inline or apart.strip() or None)
    assert said.strip().startswith(rest.strip())


@given(st.text(st.characters(codec="utf-8")))
def test_storable_of_good_text_is_the_text(text: str):
    assert storable(text) == text


def test_storable_of_half_a_surrogate_pair_is_a_replacement():
    assert storable("yes \ud83d") == "yes \ufffd"
