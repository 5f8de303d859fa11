"""What the agent knows, and that it says so when it does not."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from promptcraft_sdk.agent import Agent
from promptcraft_sdk.evaluation import QUESTIONS, HeldQuestions, accuracy
from promptcraft_sdk.knowledge import content_sha256


def test_index_is_that_of_the_documents(agent: Agent, root: Path) -> None:
    assert agent.index.content_sha256 == content_sha256(root / "knowledge" / "documents"), (
        "run scripts/ingest_knowledge.py"
    )


def test_passages_are_as_the_schema_says(root: Path) -> None:
    validator = Draft202012Validator(json.loads((root / "knowledge" / "schema.json").read_text(encoding="utf-8")))

    with (root / "knowledge" / "index" / "passages.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            validator.validate(json.loads(line))


def test_questions_find_their_documents_as_often_as_when_they_were_written(agent: Agent, root: Path) -> None:
    held = HeldQuestions.model_validate_json((root / QUESTIONS).read_bytes())

    assert accuracy(agent.index, held.questions) >= held.accuracy - 0.001


def test_every_question_is_about_a_document_that_is_there(root: Path) -> None:
    held = HeldQuestions.model_validate_json((root / QUESTIONS).read_bytes())

    gone = [ask.file for ask in held.questions if not (root / "knowledge" / "documents" / ask.file).is_file()]

    assert not gone, f"take their questions out of {QUESTIONS}"


@pytest.mark.parametrize("nonsense", ["qzxvkjw", "Which wqvzxk did the zzqjxk bring?"])
def test_what_no_document_holds_is_declined_and_the_subjects_are_named(agent: Agent, nonsense: str) -> None:
    answer = agent.ask(nonsense)

    assert not answer.answered
    assert not answer.citations
    assert answer.topics


def test_a_very_long_question_is_answered_or_declined(agent: Agent) -> None:
    answer = agent.ask("qzxvkjw " * 2_000)

    assert not answer.answered
