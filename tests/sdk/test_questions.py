"""What a question set says of an agent, and the threshold that it finds."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptcraft_sdk.questions import AskedQuestion, Verdict, calibrated, judge, tally


@dataclass(frozen=True)
class Place:
    file: str
    start_line: int
    end_line: int
    text: str


PLACES = [Place("a.md", 10, 20, "The return is due\non the  tenth day."), Place("b.md", 1, 2, "Nothing.")]


def verdict(confidence: float, *, answerable: bool) -> Verdict:
    return Verdict(
        question="?", answerable=answerable, answered=confidence >= 0.5, right_file=answerable or None,
        within_lines=None, confidence=confidence, cited=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "right_file", "within_lines"),
    [
        ({"file": "a.md", "answer": "due on the TENTH day"}, True, True),
        ({"file": "a.md", "answer": ["ninth", "tenth"]}, True, True),
        ({"file": "b.md", "answer": "tenth day"}, True, False),
        ({"answer": "tenth day"}, None, True),
        ({"file": "c.md", "answer": "tenth day"}, False, False),
        ({"file": "a.md", "lines": "12-20"}, True, True),
        ({"file": "a.md", "lines": "12-21"}, True, False),
        ({"file": "a.md"}, True, None),
        ({"answerable": False}, None, None),
    ],
)
def test_an_answer_is_judged_by_what_it_cites(asked, right_file, within_lines):
    question = AskedQuestion.model_validate({"question": "When?", **asked})

    judged = judge(question, True, 0.7, PLACES)

    assert (judged.right_file, judged.within_lines) == (right_file, within_lines)
    assert judged.cited == ("a.md:10-20", "b.md:1-2")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"answerable": False, "file": "a.md"},
        {"answerable": False, "answer": "x"},
        {"lines": "1-2"},
        {"answer": "x", "lines": "1-2"},
        {"file": "a.md", "lines": "0-2"},
        {"file": "a.md", "lines": "two"},
        {"file": "a.md", "answer": ""},
        {"file": "a.md", "anwser": "x"},
    ],
)
def test_a_question_that_says_too_little_or_too_much_is_refused(asked):
    with pytest.raises(ValidationError):
        AskedQuestion.model_validate({"question": "When?", **asked})


def test_figures_count_what_was_right_and_what_was_declined():
    verdicts = [verdict(0.9, answerable=True), verdict(0.1, answerable=True), verdict(0.2, answerable=False)]

    figures = tally(verdicts)

    assert figures.model_dump() == {
        "answerable": 2, "unanswerable": 1, "right_file": 2, "within_lines": 0, "declined": 1, "wrongly_declined": 1,
    }  # fmt: skip


def test_a_threshold_that_tells_them_apart_is_found_where_there_is_one():
    held = [verdict(0.30 + number / 100, answerable=True) for number in range(10)]
    others = [verdict(0.10 + number / 100, answerable=False) for number in range(5)]

    assert 0.14 < (calibrated([*held, *others], 0.9) or 0) <= 0.30
    assert calibrated([*held, *others], 0.2) == 0.2


def test_too_few_questions_find_none():
    assert calibrated([verdict(0.9, answerable=True)] * 10 + [verdict(0.1, answerable=False)] * 4, 0.5) is None
    assert calibrated([verdict(0.9, answerable=True)] * 9 + [verdict(0.1, answerable=False)] * 5, 0.5) is None


@given(
    held=st.lists(st.floats(0, 1), min_size=10, max_size=30),
    others=st.lists(st.floats(0, 1), min_size=5, max_size=30),
    default=st.floats(0, 1),
)
def test_a_calibration_is_never_worse_than_the_default(held, others, default):
    verdicts = [verdict(one, answerable=True) for one in held] + [verdict(one, answerable=False) for one in others]

    def wrong(threshold: float) -> float:
        return sum(one < threshold for one in held) / len(held) + sum(one >= threshold for one in others) / len(others)

    found = calibrated(verdicts, default)

    assert found is not None
    assert wrong(found) <= wrong(default) + 1e-9
