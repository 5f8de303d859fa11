"""A model's words are the same however they were cut on their way."""

from hypothesis import example, given
from hypothesis import strategies as st

from promptcraft_sdk.agent.wording import Wording

_PIECES = st.sampled_from(
    ["It is due ", "ten days", " [1]", "[2]", "[", "1", "]", "[12]", " ", "\n", ".", "NOT", " FOUND", "[x]", "é"]
)


def worded(parts: list[str], passages: int = 2) -> tuple[str, Wording]:
    """What was told on the way, and what came of it."""
    wording = Wording(passages)
    told = "".join(wording.hear(part) for part in parts)
    return told + wording.end(), wording


@given(st.lists(_PIECES, max_size=12), st.lists(st.integers(0, 60), max_size=6))
@example(["NOT FOUND"], [3])
@example(["due [2][9] [1]."], [5, 6, 7])
@example(["[12]", " ", "It is due "], [4])
def test_cuts_change_nothing_and_what_was_told_is_the_answer(pieces: list[str], cuts: list[int]):
    text = "".join(pieces)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    parts = [text[a:b] for a, b in zip(places, places[1:], strict=False)]

    told, cut = worded(parts)
    _, whole = worded([text])

    assert told == cut.text
    assert (cut.text, cut.cited) == (whole.text, whole.cited)


def test_citations_are_numbered_as_they_come_and_those_of_nothing_left_out():
    assert worded(["Due on the 10th [", "2], late", " [7] [1]."])[1] == Wording(
        2, "Due on the 10th [1], late [2].", [1, 0], 34
    )


def test_what_was_not_found_says_nothing():
    assert [worded(list(said))[0] for said in ("NOT FOUND", " not found. ", "")] == ["", "", ""]
    assert worded(list("Not so fast"))[0] == "Not so fast"
