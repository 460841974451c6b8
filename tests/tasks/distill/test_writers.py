"""Who writes a recipe's chains, and what its parts are named after."""

from typing import Any

import pytest

from sightline.errors import RecipeError
from sightline.roles import Role
from tasks.distill.writers import DistillParams, TeacherChoice


def test_writers_of_one_teacher_are_that_teacher_named_after_its_model():
    (writer,) = DistillParams(teacher="Org/Model-7B.v2", rounds=2).writers()
    assert (writer.name, writer.draws) == ("org-model-7b-v2", 1)
    assert writer.part_of("demo-12345678") == "org-model-7b-v2.demo-12345678"
    assert (writer.params.teacher, writer.params.rounds) == ("Org/Model-7B.v2", 2)


def test_writers_of_several_teachers_have_what_the_step_says_where_they_say_nothing():
    student = TeacherChoice("b", role=Role.STUDENT, draws=3, temperature=1.0, max_tokens=64)
    params = DistillParams(teachers=(TeacherChoice("a"), student), max_tokens=512)
    first, second = params.writers()
    assert (first.params.max_tokens, first.params.role, first.draws) == (512, Role.TEACHER, 1)
    assert (second.params.max_tokens, second.params.role) == (64, Role.STUDENT)
    assert [p.draw for p in second.each_draw()] == [0, 1, 2]


def test_writer_of_a_teacher_is_the_same_whether_it_is_listed_alone_or_among_others():
    (alone,) = DistillParams(teacher="a").writers()
    among = DistillParams(teachers=(TeacherChoice("b"), TeacherChoice("a"))).writers()
    assert alone in among
    assert alone.identity == among[1].identity


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "either teacher or teachers"),
        ({"teacher": "a", "teachers": (TeacherChoice("b"),)}, "either teacher or teachers"),
        ({"teachers": (TeacherChoice("a"), TeacherChoice("A"))}, "2 teachers are called 'a'"),
        ({"teacher": "a", "name": "my.name"}, "expected a name .* found 'my.name'"),
        ({"teacher": "a", "draws": 0}, "at least 1"),
        ({"teacher": "a", "draws": 4}, "at temperature 0 every draw is the same reply"),
    ],
)
def test_writers_that_cannot_be_told_apart_or_asked_are_refused(
    given: dict[str, Any], problem: str
):
    with pytest.raises(RecipeError, match=problem):
        DistillParams(**given)
