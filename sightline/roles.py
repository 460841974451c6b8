"""The parts a model may play: one closed set for recipes, `generations.role` and views."""

from enum import StrEnum


class Role(StrEnum):
    """Part a model plays; only chains of TEACHER become training data."""

    TEACHER = "teacher"
    STUDENT = "student"
    JUDGE = "judge"
    REWRITER = "rewriter"
    BLIND = "blind"
