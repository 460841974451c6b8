"""What holds for every grammar: total, linear in time, and the inverse of a well-formed writer."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.replies.defects import defects_of
from tasks.replies.grammar import PARSERS, read_answer, read_region, read_scores
from tasks.replies.object_tuples import cites_in
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.stated_boxes import Frame

FRAME = Frame(640, 480)

MARKS = [
    "{", "}", "[", "]", "(", ")", '"', "'", "\\", ",", ":", "#", "```", "\n", " ", "\ud800", "\x00",
    "<think>", "</think>", "◁think▷", "◁/think▷", "<answer>", "</answer>", "<|begin_of_box|>",
    "<|end_of_box|>", "\\boxed{", "### Answer: ", "Answer: ", "the answer is (A)", "FINAL ANSWER: ",
    "<CONCLUSION>", "</CONCLUSION>", "<REASONING>", "<|box_start|>", "<|box_end|>", "<bbox>",
    "</bbox>", "<|image_zoomin|>", "<|object_ref_start|>", "THOUGHT 0:", "\nACTION 1:", "\nANSWER:",
    "<image_start>[", "]<image_end>", "<|im_end|>", "<|im_start|>assistant", '"roi"', '"answer"',
    '"bbox_2d"', '"score"', "['a', ", "0.5", "1e999", "NaN", "8 9\n", "Score: 1", "null",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=30).map("".join)


@given(TEXTS)
def test_any_text_is_read_by_every_grammar_into_storable_texts(text: str) -> None:
    readings = [read_answer(text, grammar) for grammar in Grammar]
    readings += [read_region(text, grammar) for grammar in Grammar]
    for reading in (*readings, read_scores(text)):
        assert isinstance(reading, ParsedReply)
        for said in (reading.thinking, reading.description, reading.reasoning, reading.answer):
            assert said is None or (said.encode() and said == said.strip())
    defects_of(text, text)
    cites_in(text, FRAME)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mark", [m for m in MARKS if len(m) < 25])
def test_a_long_run_of_any_mark_is_read_within_the_time_limit(mark: str) -> None:
    """Quadratic work on 100,000 characters takes minutes."""
    text = mark * (100_000 // len(mark))
    for parse in PARSERS.values():
        parse(text)
    read_answer(text)
    defects_of(text, text[:10_000])
    cites_in(text, FRAME)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 60_000, '{"roi":[' * 40_000, '"\\"' * 100_000 + ",}", "([1,1,1" * 40_000,
        "(" + " " * 300_000, "[ " * 150_000, "['" * 150_000, '["\'' * 100_000,
        "THOUGHT 1: <image_start>[" * 12_000, "ACTION 1: ['a', '[" * 16_000, "#" * 300_000,
        "answer to " * 30_000, "answer is ( " * 25_000, "\\boxed{" * 40_000,
        "<|object_ref_start|>a" * 14_000, "<|box_start|>1,2,3,4" * 14_000, "Score: (1, " * 27_000,
    ],
)  # fmt: skip
def test_hostile_text_is_read_within_the_time_limit(text: str) -> None:
    for parse in PARSERS.values():
        parse(text)
    cites_in(text, FRAME)


WORDS = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=6
).map(" ".join)
NUMBERS = st.lists(st.integers(0, 1000), min_size=4, max_size=4)

WRITERS: dict[Grammar, Callable[[str, str], str]] = {
    Grammar.ROUND_JSON: lambda r, a: "```json\n" + json.dumps({"reasoning": r, "answer": a}),
    Grammar.THINK_ANSWER: lambda r, a: f"<think>{r}</think>\n<answer>{a}</answer>",
    Grammar.BOXED: lambda r, a: f"<think>{r}</think><|begin_of_box|>{a}<|end_of_box|>",
    Grammar.FREE_TEXT: lambda r, a: f"◁think▷{r}◁/think▷{a}",
    Grammar.HASH_ANSWER: lambda r, a: f"{r}\n### Answer: {a}",
    Grammar.STAGE_TAGS: lambda r, a: (
        f"<REASONING>{r}</REASONING>\n\n<CONCLUSION> {a} </CONCLUSION>"
    ),
    Grammar.ZOOM_TOKENS: lambda r, a: f"<think>{r}</think><answer>{a}</answer>",
    Grammar.BBOX_TAG: lambda r, a: f"{r}<bbox>[1, 2, 3, 4]</bbox><answer>{a}</answer>",
    Grammar.THOUGHTS: lambda r, a: f"THOUGHT 0: {r}\nFINAL ANSWER: {a}",
    Grammar.THOUGHT_ACTION: lambda r, a: f"THOUGHT 0: {r}\nANSWER: so. FINAL ANSWER: {a}.",
}


@pytest.mark.parametrize("grammar", sorted(WRITERS))
@given(reasoning=WORDS, answer=WORDS)
def test_well_formed_reply_is_read_back(grammar: Grammar, reasoning: str, answer: str) -> None:
    reading = read_answer(WRITERS[grammar](reasoning, answer), grammar)
    assert (reading.reasoning, reading.answer) == (reasoning, answer)


@pytest.mark.parametrize(
    ("grammar", "write"),
    [
        (Grammar.ROUND_JSON, lambda box: json.dumps({"roi": box})),
        (Grammar.ZOOM_TOKENS, lambda b: f"<|box_start|>({b[0]},{b[1]}),({b[2]},{b[3]})<|box_end|>"),
        (Grammar.BBOX_TAG, lambda box: f"<bbox>{box}</bbox>"),
        (Grammar.BBOX_JSON, lambda box: json.dumps([{"bbox_2d": box, "label": "mug"}])),
    ],
)
@given(box=NUMBERS)
def test_well_formed_region_is_read_back(
    grammar: Grammar, write: Callable[[list[int]], str], box: list[int]
) -> None:
    (stated,) = read_region(write(box), grammar).boxes
    assert [float(number) for number in stated.value] == box


@given(st.sampled_from("ABCDEFGHIJ"), WORDS)
def test_option_letter_stated_after_any_words_is_read_back(letter: str, words: str) -> None:
    assert read_answer(f"{words}.\nAnswer: {letter}", Grammar.OPTION_LETTER).answer == letter


@given(st.lists(st.integers(0, 10), min_size=1, max_size=2), WORDS)
def test_scores_on_the_first_line_are_read_back(scores: list[int], words: str) -> None:
    reading = read_scores(" ".join(map(str, scores)) + f"\n{words}")
    assert (list(reading.scores), reading.reasoning) == (scores, words)
