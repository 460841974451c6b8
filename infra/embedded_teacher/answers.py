"""Short answers: the known one, one read off the object list, and wrong ones on request.

Without a reference answer only questions that the object list decides are answered (how many,
which colour, shape, material or size); anything else is an honest "unknown".  Who must answer
without seeing guesses what such questions usually want, and is right as often as chance has it.
"""

import re
from typing import Final

from infra.embedded_teacher.misbehaviour import chance
from infra.embedded_teacher.prompt import Prompt, SeenObject

UNKNOWN: Final = "unknown"
_WORDS: Final = {
    "colo": ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "magenta", "brown",
             "gray", "grey", "white", "black", "pink"),
    "shape": ("cube", "box", "sphere", "ball", "cylinder", "cone"),
    "material": ("metal", "rubber", "matte", "shiny", "glass", "wood", "plastic"),
    "size": ("small", "large", "big", "tiny"),
}  # fmt: skip
_OPPOSITES: Final = {
    "yes": "no",
    "true": "false",
    "left": "right",
    "above": "below",
    "front": "behind",
    "near": "far",
    "nearer": "farther",
}
_NUMBER_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")


def answer(prompt: Prompt) -> str:
    """Return the reference answer, else what the object list says, else "unknown"."""
    if prompt.reference is not None:
        return prompt.reference
    return _count(prompt) or _attribute(prompt) or UNKNOWN


def guess(prompt: Prompt, seed: str) -> str:
    """Return an answer of the kind that is asked for, chosen without knowing."""
    question = prompt.question.lower()
    kind = re.search(r"(?:what|which) (colo|shape|material|size)", question)
    either = re.search(r"(\w+) or (?:the |an? )?(\w+)\s*\?", question)
    if prompt.choices:
        options = tuple(letter for letter, _ in prompt.choices)
    elif "how many" in question:
        options = ("1", "2", "3", "4")
    elif kind:
        options = _WORDS[kind.group(1)]
    elif either:
        options = (either.group(1), either.group(2))
    elif re.match(r"(is|are|was|were|do|does|did|can|has|have)\b", question):
        options = ("yes", "no")
    else:
        options = (UNKNOWN,)
    return options[_place(len(options), seed)]


def is_same(one: str, other: str, prompt: Prompt) -> bool:
    """Return whether two answers say the same; a choice may be named by letter or by text."""
    texts = {letter.lower(): text.lower() for letter, text in prompt.choices}

    def plain(said: str) -> str:
        bare = said.strip(" .()\"'").lower()
        return texts.get(bare, bare)

    return plain(one) == plain(other)


def wrong_answer(right: str, prompt: Prompt, seed: str) -> str:
    """Return an answer of the same kind that is not `right`."""
    others = [choice for choice in prompt.choices if right not in {*choice, f"({choice[0]})"}]
    if others and len(others) < len(prompt.choices):
        letter, text = others[_place(len(others), seed)]
        return letter if right.strip("().").isalpha() and len(right.strip("().")) == 1 else text
    swapped = _opposite(right) or _other_number(right, seed) or _other_word(right, seed)
    return swapped or _other_object(right, prompt, seed) or f"not {right}"


def named_in(question: str, objects: tuple[SeenObject, ...]) -> list[SeenObject]:
    """Return the objects whose every word stands in the question."""
    words = _words_of(question)
    return [seen for seen in objects if _words_of(seen.name) <= words]


def _count(prompt: Prompt) -> str | None:
    asked = re.search(r"how many (.+?)(?: are| is| do| can|\?|$)", prompt.question.lower())
    if not asked or not prompt.objects:
        return None
    wanted = _words_of(asked.group(1)) - {"object", "thing", "the", "of"}
    return str(sum(wanted <= _words_of(seen.name) for seen in prompt.objects))


def _attribute(prompt: Prompt) -> str | None:
    kind = re.search(r"(?:what|which) (colo|shape|material|size)", prompt.question.lower())
    if not kind:
        return None
    asked = _words_of(prompt.question)
    values = _WORDS[kind.group(1)]
    fitting = [s for s in prompt.objects if _words_of(s.name) - set(values) <= asked]
    named = [s for s in fitting if _words_of(s.name) & asked]
    found = {v for seen in named for v in values if v in _words_of(seen.name)}
    return found.pop() if len(found) == 1 else None


def _words_of(text: str) -> set[str]:
    """Return the lower-case words, plurals without their s."""
    words = re.findall(r"[a-z]+", text.lower())
    return {_singular(word) for word in words}


def _singular(word: str) -> str:
    if word.endswith("xes"):
        return word[:-2]
    return word if word.endswith("ss") or len(word) == 1 else word.removesuffix("s")


def _opposite(right: str) -> str | None:
    pairs = _OPPOSITES | {value: key for key, value in _OPPOSITES.items()}
    found = pairs.get(right.lower())
    return found.capitalize() if found and right[:1].isupper() else found


def _other_number(right: str, seed: str) -> str | None:
    if right.lower() in _NUMBER_WORDS:
        place = _NUMBER_WORDS.index(right.lower())
        return _NUMBER_WORDS[place + 1 if place < len(_NUMBER_WORDS) - 1 else place - 1]
    match = re.search(r"\d+", right)
    if match is None:
        return None
    step = 1 + int(chance(seed, "step") * 3)
    number = str(int(match.group()) + step).zfill(len(match.group()))
    return right[: match.start()] + number + right[match.end() :]


def _other_word(right: str, seed: str) -> str | None:
    for words in _WORDS.values():
        if right.lower() in words:
            rest = [word for word in words if word != right.lower()]
            return rest[_place(len(rest), seed)]
    return None


def _other_object(right: str, prompt: Prompt, seed: str) -> str | None:
    names = sorted({seen.name for seen in prompt.objects} - {right})
    return names[_place(len(names), seed)] if names else None


def _place(count: int, seed: str) -> int:
    return int(chance(seed, "pick") * count)
