"""agent evaluate: what is sent, what is shown, and which question sets are refused before they are sent."""

import json

import pytest

from tests.sdk_client.troubled_server import data

ROUTE = "POST /api/v4/admin/agents/tax_advisor/evaluate"
TOLD = {
    "agent_name": "tax_advisor",
    "version": "1",
    "environment": "staging",
    "retrieval": "fused",
    "figures": {
        "answerable": 3, "unanswerable": 2, "right_file": 2, "within_lines": 1, "declined": 1, "wrongly_declined": 1,
    },
    "enough": None,
    "verdicts": [
        {"question": "When is it due?", "answerable": True, "answered": True, "right_file": True,
         "within_lines": True, "confidence": 0.91, "cited": ["a.md:1-2"]},
        {"question": "What \u001b[31mdoes it cost?", "answerable": True, "answered": True, "right_file": True,
         "within_lines": False, "confidence": 0.7, "cited": ["a.md:5-9", "b.md:1-1"]},
        {"question": "Who signs?", "answerable": True, "answered": False, "right_file": False,
         "within_lines": None, "confidence": 0.12, "cited": []},
        {"question": "Who won?", "answerable": False, "answered": True, "right_file": None,
         "within_lines": None, "confidence": 0.55, "cited": ["c.md:3-4"]},
        {"question": "How do I bake?", "answerable": False, "answered": False, "right_file": None,
         "within_lines": None, "confidence": 0.01, "cited": []},
    ],
}  # fmt: skip
QUESTIONS = """
- question: When is it due?
  file: a.md
  answer: on the tenth
- {question: "Who won?", answerable: false}
"""


def test_the_figures_and_every_miss_are_shown(run, signed_in, home):
    signed_in.on(ROUTE, data(TOLD))
    (home.path / "questions.yaml").write_text(QUESTIONS)

    ended = run("agent", "evaluate", "tax_advisor", "questions.yaml", "--environment", "staging")

    assert ended.exit_code == 0
    assert ended.data.splitlines() == [
        "tax_advisor 1 in staging, by words and meaning: 5 questions",
        "  right file in 3                2 of 3  67%",
        "  answer within the cited lines  1 of 3  33%",
        "  declined of the unanswerable   1 of 2  50%",
        "  wrongly declined               1 of 3  33%",
        "",
        "OUTCOME      CONFIDENCE  QUESTION                    CITED",
        "other lines  0.70        What \\x1b[31mdoes it cost?  a.md:5-9",
        "declined     0.12        Who signs?                  -",
        "answered     0.55        Who won?                    c.md:3-4",
    ]
    (asked,) = signed_in.asked
    assert json.loads(asked.body) == {
        "questions": [
            {"question": "When is it due?", "file": "a.md", "answer": "on the tenth"},
            {"question": "Who won?", "answerable": False},
        ],
        "environment": "staging",
        "calibrate": False,
    }


def test_a_calibration_says_from_when_on_it_answers(run, signed_in):
    signed_in.on(ROUTE, data({**TOLD, "enough": 0.4321}))

    ended = run("agent", "evaluate", "tax_advisor", "-", "--calibrate", "--verbose", stdin=QUESTIONS)

    assert "answers from a confidence of 0.43 on" in ended.talk
    assert "How do I bake?" in ended.data
    assert json.loads(signed_in.asked[0].body)["calibrate"] is True


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- question: [", "is not YAML: line 1"),
        (b"\xff\xfe\x00", "is not written in UTF-8"),
        (b"- 2026-13-45", "is not YAML: "),
        (b"- !!python/object/apply:os.system ['true']", "is not YAML: "),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_before_anything_is_sent(run, signed_in, home, content, said):
    (home.path / "questions.yaml").write_bytes(content)

    ended = run("agent", "evaluate", "tax_advisor", "questions.yaml")

    assert (ended.exit_code, signed_in.asked) == (2, [])
    assert said in ended.talk
    assert "Write a list of questions" in ended.talk


def test_a_file_that_is_not_there_is_named(run, signed_in):
    ended = run("agent", "evaluate", "tax_advisor", "nowhere.yaml")

    assert ended.exit_code == 2
    assert "nowhere.yaml cannot be read: No such file or directory" in ended.talk
