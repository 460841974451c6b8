import pytest

from tasks.replies.defects import defects_of
from tasks.replies.parsed import Defect

PROMPT = (
    "Return exactly these three sections and nothing else: a title, a description and keywords."
)


@pytest.mark.parametrize(
    ("text", "defects"),
    [
        ("Two cats on a couch.", ()),
        ("<think>t</think>a", ()),
        ("t</think>a", (Defect.MISSING_OPENING,)),
        ("<think>t", (Defect.MISSING_END,)),
        ("a<|im_assistant|><|im_user|>b", (Defect.ROLE_TOKEN,)),
        ("◁think▷t<|im_assistant|>b◁/think▷", (Defect.MISSING_END, Defect.ROLE_TOKEN)),
        ("a feline, " * 20, (Defect.REPETITION,)),
        ("- keep it short and factual, please\n" * 5, (Defect.REPETITION,)),
        ("1. red cube 2. red cube 3. red cube 4. red cube 5. red cube 6. red cube", ()),
        (f"Here: {PROMPT}", (Defect.PROMPT_ECHO,)),
        (f"<think>I read: {PROMPT}</think>Title: Two cats", ()),
    ],
)
def test_defects_of_a_text_name_what_is_wrong(text: str, defects: tuple[Defect, ...]) -> None:
    assert defects_of(text, PROMPT) == defects


def test_echo_without_the_prompt_is_not_looked_for() -> None:
    assert defects_of(PROMPT) == ()
