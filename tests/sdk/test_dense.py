"""Meaning as vectors: the published model's own figures; vectors that fit the index they lie beside, or are left."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from promptcraft_sdk.agent import Agent
from promptcraft_sdk.configuration import CALIBRATION, INDEX, VECTORS, AgentConfig, Calibration
from promptcraft_sdk.dense import DenseUnavailableError, Encoder, build_vectors, load_encoder, load_vectors
from promptcraft_sdk.knowledge import ingest, load_index

CONFIG = AgentConfig(name="staff_guide", display_name="Staff guide")
DOCUMENTS = {
    "leave.md": "# Leave\n\n## Funerals\n\nThree days of funeral leave are granted when a relative has passed away.\n\n"
    "## Newborn children\n\nParents stay at home for twelve weeks with full pay.\n",
    "kitchen.md": "# Kitchen\n\nThe dishwasher is started by whoever leaves last. Cups go into the upper rack.\n",
    "laptops.md": "# Laptops\n\nReport a stolen computer to the help desk within one hour.\n",
}
PARAPHRASED = "Somebody in my family died, how long may I be absent?"


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture
def repository(tmp_path: Path, knowledge) -> Path:
    """An agent's repository without vectors."""
    ingest(knowledge(DOCUMENTS), tmp_path / INDEX)
    return tmp_path


def agent_of(repository: Path) -> Agent:
    return Agent(CONFIG, load_index(repository / INDEX), root=repository)


def test_similarities_are_those_that_the_model_is_published_with(encoder: Encoder):
    person, dog, very, sunny = (
        encoder.encode(text)
        for text in (
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        )
    )

    assert [round(float(person @ other), 3) for other in (dog, very, sunny)] == [0.695, 0.943, 0.257]


@pytest.mark.parametrize("text", ["", "🎂", "\u202e\u0000", "word " * 5_000, "請求書の支払い"])
def test_any_text_has_a_vector_of_length_one(encoder: Encoder, text: str):
    assert np.linalg.norm(encoder.encode(text)) == pytest.approx(1, abs=1e-5)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 100)
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(DenseUnavailableError, match="not the published file"):
        load_encoder(tmp_path)


def test_weights_that_are_missing_are_named(tmp_path: Path):
    with pytest.raises(DenseUnavailableError, match="cannot be loaded"):
        load_encoder(tmp_path)


def test_every_passage_is_nearest_to_its_own_words(encoder: Encoder, repository: Path):
    index = load_index(repository / INDEX)

    count = build_vectors(repository / INDEX, encoder)

    vectors = load_vectors(repository / INDEX, len(index.passages))
    nearest = [int(vectors.similarities(encoder.encode(one.text)).argmax()) for one in index.passages]
    assert nearest == list(range(len(index.passages)))
    assert count >= len(index.passages)


def test_the_end_of_a_long_passage_is_found_too(encoder: Encoder, tmp_path: Path, knowledge):
    filler = "\n".join(f"- Rule {number} is about the colour of the door on floor {number}." for number in range(60))
    text = f"# House\n\n{filler}\n- The lift may not be used during a fire.\n"
    ingest(knowledge({"house.md": text, "b.md": "# Food\n\nSoup is served at noon."}), tmp_path / "index")
    index = load_index(tmp_path / "index")

    build_vectors(tmp_path / "index", encoder)

    near = load_vectors(tmp_path / "index", len(index.passages)).similarities(
        encoder.encode("elevator in case of burning")
    )
    assert "lift" in index.passages[int(near.argmax())].text


def test_an_agent_takes_up_vectors_while_it_runs_and_then_finds_by_meaning(encoder: Encoder, repository: Path):
    agent = agent_of(repository)
    before = agent.ask(PARAPHRASED)
    assert (agent.health()["knowledge"]["retrieval"], before.answered) == ("bm25", False)
    assert agent.health()["knowledge"]["reason"] == "it has no vectors yet"

    build_vectors(repository / INDEX, encoder)

    assert agent.refresh()
    assert not agent.refresh()
    knowledge = agent.health()["knowledge"]
    assert (knowledge["retrieval"], knowledge["reason"]) == ("fused", None)
    answer = agent.ask(PARAPHRASED)
    assert answer.answered
    assert "Three days of funeral leave" in answer.answer
    assert agent_of(repository).health()["knowledge"]["retrieval"] == "fused"


@pytest.mark.parametrize(
    "question", ["How do I bake a cake?", "Which lounge may I use at the airport?", "what is it", ""]
)
def test_what_the_documents_do_not_hold_is_declined_by_meaning_too(encoder: Encoder, repository: Path, question: str):
    build_vectors(repository / INDEX, encoder)

    answer = agent_of(repository).ask(question)

    assert not answer.answered
    assert answer.topics == ["Leave", "Kitchen", "Laptops"]


def test_a_follow_up_is_understood_by_meaning_too(encoder: Encoder, repository: Path):
    build_vectors(repository / INDEX, encoder)
    agent = agent_of(repository)
    before = ["What do I get when a relative passes away?", "Three days of funeral leave are granted."]

    followed = agent.ask("And what about newborn children?", before)
    strange = agent.ask("And who painted the Mona Lisa?", before)

    assert "twelve weeks" in followed.answer
    assert not strange.answered


def test_each_word_of_a_question_looks_for_its_counterpart_in_a_passage(encoder: Encoder, repository: Path):
    index = load_index(repository / INDEX)
    build_vectors(repository / INDEX, encoder)
    vectors = load_vectors(repository / INDEX, len(index.passages))
    funerals, kitchen = (
        next(number for number, one in enumerate(index.passages) if word in one.text)
        for word in ("funeral", "dishwasher")
    )
    asked = encoder.read("How long is the leave for a burial?")

    of_funerals, of_kitchen = (
        dict(zip(asked.words, vectors.counterparts(number, asked.of_words), strict=True))
        for number in (funerals, kitchen)
    )

    assert asked.words == ("long", "leave", "burial")
    assert of_funerals["burial"] > of_kitchen["burial"] + 0.2
    assert of_funerals["leave"] > 0.7
    assert vectors.counterparts(funerals, encoder.read("?").of_words).shape == (0,)


def test_a_neighbouring_subject_is_not_taken_for_an_answer(encoder: Encoder, repository: Path):
    build_vectors(repository / INDEX, encoder)
    agent = agent_of(repository)

    assert agent.ask("How soon must I report that my computer was stolen?").answered
    assert not agent.ask("Who repairs a broken dishwasher on weekends?").answered


def test_words_that_do_not_fit_the_passages_are_left_alone(encoder: Encoder, repository: Path):
    build_vectors(repository / INDEX, encoder)
    words = repository / VECTORS / "words.npy"
    np.save(words, np.load(words)[:-1])

    health = agent_of(repository).health()["knowledge"]

    assert (health["retrieval"], health["reason"]) == ("bm25", "its vectors do not fit its passages")


def test_vectors_of_other_passages_are_left_alone(encoder: Encoder, repository: Path, knowledge):
    build_vectors(repository / INDEX, encoder)
    kept = (repository / VECTORS).rename(repository / "kept")
    ingest(knowledge({**DOCUMENTS, "leave.md": "# Leave\n\nAsk your manager.\n"}), repository / INDEX)
    kept.rename(repository / VECTORS)

    health = agent_of(repository).health()["knowledge"]

    assert (health["retrieval"], health["reason"]) == ("bm25", "its vectors are of other passages")


def _head(directory: Path, **changes: object) -> None:
    head = json.loads((directory / "vectors.json").read_text())
    (directory / "vectors.json").write_text(json.dumps(head | changes))


@pytest.mark.parametrize(
    "damage",
    [
        lambda directory: (directory / "vectors.npy").write_bytes(b"\x93NUMPY"),
        lambda directory: (directory / "vectors.npy").unlink(),
        lambda directory: (directory / "vectors.json").write_text("[]"),
        lambda directory: np.save(directory / "vectors.npy", np.zeros((2, 384), dtype=np.float16)),
        lambda directory: np.save(directory / "starts.npy", np.zeros(4, dtype=np.int32)),
        lambda directory: np.save(directory / "starts.npy", np.array([object()]), allow_pickle=True),
        lambda directory: _head(directory, model="another"),
        lambda directory: _head(directory, format=99),
    ],
)
def test_damaged_vectors_cost_the_meaning_and_nothing_else(encoder: Encoder, repository: Path, damage):
    build_vectors(repository / INDEX, encoder)
    damage(repository / VECTORS)

    agent = agent_of(repository)

    assert agent.health()["knowledge"]["retrieval"] == "bm25"
    assert agent.ask("What about funeral leave for a relative?").answered


def test_a_calibration_says_from_when_on_to_answer_for_its_way_of_retrieval_only(encoder: Encoder, repository: Path):
    build_vectors(repository / INDEX, encoder)
    agent = agent_of(repository)
    assert agent.ask(PARAPHRASED).answered

    def calibrate(retrieval: str) -> None:
        strict = Calibration.model_validate({"retrieval": retrieval, "enough": 1.0, "questions": 30})
        (repository / CALIBRATION).write_text(strict.model_dump_json())

    calibrate("fused")
    assert agent.refresh()
    assert (agent.ask(PARAPHRASED).answered, agent.health()["knowledge"]["enough"]) == (False, 1.0)

    calibrate("bm25")
    assert agent.refresh()
    assert agent.ask(PARAPHRASED).answered


def test_the_vectors_are_written_by_a_program_of_their_own(repository: Path):
    run = subprocess.run(
        [sys.executable, "-m", "promptcraft_sdk.dense", repository / INDEX, repository / "made"],
        text=True,
        capture_output=True,
        check=True,
    )

    assert int(run.stdout) >= 4
    assert sorted(path.name for path in (repository / "made").iterdir()) == [
        "basis.npy",
        "starts.npy",
        "vectors.json",
        "vectors.npy",
        "word_starts.npy",
        "words.npy",
    ]


def test_the_program_says_what_is_wrong_with_an_index(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, "-m", "promptcraft_sdk.dense", tmp_path / "nothing", tmp_path / "made"],
        text=True,
        capture_output=True,
        check=False,
    )

    assert run.returncode == 2
    assert "nothing" in run.stderr
    assert list(tmp_path.iterdir()) == []
