"""Each grammar on the form it is for, and on the ways that form breaks."""

from typing import Any

import pytest

from tasks.replies.grammar import PARSERS, read_answer, read_region, read_scores
from tasks.replies.parsed import Defect, Grammar, PartKind, TracePart, WrittenBox
from tasks.replies.python_lists import text_list

BOX = (0.1, 0.2, 0.3, 0.4)
MUG = (
    "<think>A <|object_ref_start|>mug<|object_ref_end|><|box_start|>(0.1,0.2),(0.3,0.4)<|box_end|>"
    " is small.<|image_zoomin|>It is blue.</think><answer>blue</answer>"
)


@pytest.mark.parametrize(
    ("grammar", "text", "said"),
    [
        (
            Grammar.ROUND_JSON,
            '{"Description": "d", "RoI": [1, 2, 3, 4], "Reasoning": "r", "answer": "a"}',
            {
                "description": "d",
                "reasoning": "r",
                "answer": "a",
                "boxes": (WrittenBox([1, 2, 3, 4]),),
            },
        ),
        (
            Grammar.THINK_ANSWER,
            "<Think>t</Think>\n<Answer>a</Answer>",
            {"thinking": "t", "reasoning": "t", "answer": "a"},
        ),
        (Grammar.THINK_ANSWER, "r <answer>a</answer>", {"reasoning": "r", "answer": "a"}),
        (
            Grammar.BOXED,
            "<think>t</think>So <|begin_of_box|>a<|end_of_box|>",
            {"thinking": "t", "reasoning": "So", "answer": "a"},
        ),
        (Grammar.BOXED, r"so \boxed{\frac{1}{2}}.", {"reasoning": "so", "answer": r"\frac{1}{2}"}),
        (
            Grammar.FREE_TEXT,
            "◁think▷t◁/think▷ two cats ",
            {"thinking": "t", "reasoning": "t", "answer": "two cats"},
        ),
        (Grammar.FREE_TEXT, "two cats", {"answer": "two cats"}),
        (Grammar.HASH_ANSWER, "r\n### Answer: 4", {"reasoning": "r", "answer": "4"}),
        (Grammar.OPTION_LETTER, "It is red.\n\n**Answer: C**", {"answer": "C"}),
        (
            Grammar.STAGE_TAGS,
            "<CAPTION>c</CAPTION> <REASONING>r</REASONING> <CONCLUSION> a </CONCLUSION>",
            {"description": "c", "reasoning": "r", "answer": "a"},
        ),
        (
            Grammar.ZOOM_TOKENS,
            MUG,
            {"answer": "blue", "boxes": (WrittenBox(BOX, "mug"),)},
        ),
        (
            Grammar.BBOX_TAG,
            "The mug <bbox>[0.1, 0.2, 0.3, 0.4]</bbox>. <answer>blue</answer>",
            {"reasoning": "The mug .", "answer": "blue", "boxes": (WrittenBox(BOX),)},
        ),
        (
            Grammar.BBOX_JSON,
            '```json\n[{"bbox_2d": [215, 585, 350, 665], "label": "mug"},]\n```',
            {"boxes": (WrittenBox([215, 585, 350, 665], "mug"),)},
        ),
    ],
)
def test_reply_in_its_grammar_says_its_fields(
    grammar: Grammar, text: str, said: dict[str, Any]
) -> None:
    reading = PARSERS[grammar](text)
    assert {name: getattr(reading, name) for name in said} == said
    assert (reading.grammar, reading.defects) == (grammar, ())


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (B). The other choice D is wrong.", "B"),
        ("Answer: A\nno, rather\nAnswer: D (4 and 2)", "D"),
        (r"Answer: \( \text{B} \)", "B"),
        (r"\boxed{\text{Answer: } J}", "J"),
        ("Therefore, 'Answer: A'", "A"),
        ('The answer to the question "Complete the matrix" is **(E)**.', "E"),
        ("\u6240\u4ee5\uff0c\u7b54\u6848\u662f (C) 50\u00b0", "C"),
        ("C is correct.", "C"),
        (" (B) ", "B"),
        ("Answer: A dog", None),
        ("The answer is A's", None),
        ("I cannot tell.", None),
        ("the answer is b", None),
    ],
)
def test_option_letter_in_prose_is_what_the_reply_settles_on(text: str, letter: str | None) -> None:
    assert read_answer(text, Grammar.OPTION_LETTER).answer == letter


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("8 9\nBoth are good.", (8.0, 9.0)),
        ("0.75\nMostly right.", (0.75,)),
        ('{"score": 0.8, "reason": "good"}', (0.8,)),
        ('```json\n{"scores": [1, "2"]}\n```', (1.0, 2.0)),
        ("First ...\nAssistant 1: 10\nAssistant 2: 4", (10.0, 4.0)),
        ("Assistant 1: 1/10\nAssistant 2: 2/10", (1.0, 2.0)),
        ("Long.\nOutput: (1, 7)", (1.0, 7.0)),
        ("Long.\n**Score:** 0.5", (0.5,)),
        ('{"score": "high"}', ()),
        ("2 cats sit there.", ()),
    ],
)
def test_judge_scores_in_each_form_are_read(text: str, scores: tuple[float, ...]) -> None:
    assert read_scores(text).scores == scores


def test_thoughts_with_images_keep_their_order() -> None:
    text = (
        "THOUGHT 0: Look. <image_start>[problem_image_1]<image_end> A maze.\n"
        "THOUGHT 1: <image_start>[reasoning_image_1]<image_end>\nFinal Answer: left"
    )
    reading = PARSERS[Grammar.THOUGHTS](text)
    assert reading.parts == (
        TracePart(PartKind.THOUGHT, "Look.", 0),
        TracePart(PartKind.IMAGE, "problem_image_1", 0),
        TracePart(PartKind.THOUGHT, "A maze.", 0),
        TracePart(PartKind.IMAGE, "reasoning_image_1", 1),
    )
    assert reading.answer == "left"


def test_thought_action_reply_keeps_code_unrun_and_reads_its_lists() -> None:
    code = "focus_on(image_1, [\"20'18\", '2019'], boxes)\n__import__('os')"
    text = (
        f"THOUGHT 0: Look.\nACTION 0: {code}\nANSWER: It is 4. FINAL ANSWER: 4.\nTERMINATE\nTHOUGHT"
    )
    reading = PARSERS[Grammar.THOUGHT_ACTION](text)
    assert reading.parts[1] == TracePart(PartKind.ACTION, code, 0, (("20'18", "2019"),))
    assert (reading.reasoning, reading.answer) == ("Look.", "4")
    assert PARSERS[Grammar.THOUGHT_ACTION](repr([text])) == reading


@pytest.mark.parametrize("text", ["['a', b]", "['a'", "[f('a')]", "['a'] + ['b']", "[['a']]", ""])
def test_text_that_is_no_list_of_texts_is_none(text: str) -> None:
    assert text_list(text) is None


def test_zoom_token_reply_keeps_thoughts_and_zooms_in_order() -> None:
    text = "<think>a <|box_start|>[1,2,3,4]<|box_end|> b <|image_zoomin|> c</think>"
    kinds = [(p.kind, p.text) for p in PARSERS[Grammar.ZOOM_TOKENS](text).parts]
    thought = PartKind.THOUGHT
    assert kinds == [(thought, "a"), (thought, "b"), (PartKind.ZOOM, ""), (thought, "c")]


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (Grammar.THINK_ANSWER, "<think>t</think><answer>a"),
        (Grammar.BOXED, "t <|begin_of_box|>a"),
        (Grammar.BOXED, r"t \boxed{\frac{1}{2}"),
        (Grammar.STAGE_TAGS, "<REASONING>r</REASONING><CONCLUSION> a"),
    ],
)
def test_answer_that_is_cut_off_is_no_answer(grammar: Grammar, text: str) -> None:
    reading = PARSERS[grammar](text)
    assert reading.answer is None
    assert reading.defects == (Defect.MISSING_END,)


@pytest.mark.parametrize("grammar", sorted(set(PARSERS) - {Grammar.ZOOM_TOKENS}))
def test_thinking_that_never_ends_says_nothing(grammar: Grammar) -> None:
    text = (
        '<think>draft {"answer": "a", "roi": [0,0,1,1], "bbox": 1, "score": 1} <answer>a</answer>'
    )
    reading = PARSERS[grammar](text + "\n### Answer: a\nAnswer: A")
    assert (reading.answer, reading.boxes, reading.scores) == (None, (), ())


@pytest.mark.parametrize(
    ("text", "grammar"),
    [
        ('{"reasoning": "r", "answer": "a"} <answer>b</answer>', Grammar.ROUND_JSON),
        ("<think>t</think><answer>a</answer>\n### Answer: b", Grammar.THINK_ANSWER),
        ("r\n### Answer: a", Grammar.HASH_ANSWER),
        ("<CONCLUSION>a</CONCLUSION>", Grammar.STAGE_TAGS),
        ("The answer is (B).", Grammar.AUTO),
        ("two cats", Grammar.AUTO),
    ],
)
def test_auto_says_which_form_it_read(text: str, grammar: Grammar) -> None:
    assert read_answer(text).grammar is grammar


@pytest.mark.parametrize(
    "text",
    [
        '{"roi": [0.1, 0.2, 0.3, 0.4]}',
        "<think>a</think><|box_start|>(0.1,0.2),(0.3,0.4)<|box_end|>",
        "See <bbox>0.1, 0.2, 0.3, 0.4</bbox>",
        '[{"bbox_2d": [0.1, 0.2, 0.3, 0.4]}]',
    ],
)
def test_auto_finds_a_region_in_each_form(text: str) -> None:
    (box,) = read_region(text).boxes
    assert tuple(box.value) == BOX


def test_what_follows_a_leaked_role_token_is_not_read() -> None:
    text = "<|im_start|>assistant\n<answer>a</answer><|im_end|><|im_user|>no <answer>b</answer>"
    assert read_answer(text).answer == "a"
