"""Documents become passages that stand, word for word, on the lines they name."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcraft_sdk.knowledge.errors import DocumentTooLargeError, MalformedJsonError
from promptcraft_sdk.knowledge.json_documents import MOST_VALUES, json_passages
from promptcraft_sdk.knowledge.markdown import markdown_passages
from promptcraft_sdk.knowledge.passages import LONGEST_HEADING
from promptcraft_sdk.knowledge.words import words_of

HANDBOOK = """\
---
title: "Handbook"
---

Intro that is long enough to stand alone, because it says what the whole of this handbook is about, for whom it was
written, and how it is kept.

# Expenses

## Meals `daily` {#meals}

Whoever is away gets an allowance, which depends on how many hours the trip took and on nothing else at all; it is paid
with the wages, as follows:

- 14 for eight hours
- 28 for a day

| Hours | Allowance |
|---|---|
| 8 | 14 |

Setext
------

```python
# not a heading

total = 14
```
"""


def lines(text: str, start: int, end: int) -> str:
    return "\n".join(re.split(r"\r\n?|\n", text)[start - 1 : end])


def test_a_paragraph_comes_with_the_list_and_table_it_introduces_and_with_the_headings_above():
    found = markdown_passages("a.md", HANDBOOK)

    assert [(p.start_line, p.end_line, p.headings) for p in found] == [
        (5, 6, ("Handbook",)),
        (12, 20, ("Handbook", "Expenses", "Meals daily")),
        (25, 29, ("Handbook", "Expenses", "Setext")),
    ]


def test_every_passage_is_the_text_of_its_lines():
    for passage in markdown_passages("a.md", HANDBOOK):
        assert passage.text == lines(HANDBOOK, passage.start_line, passage.end_line)


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_endings_do_not_move_lines(ending: str):
    text = HANDBOOK.replace("\n", ending)

    assert [(p.start_line, p.end_line) for p in markdown_passages("a.md", text)] == [(5, 6), (12, 20), (25, 29)]


def test_form_feeds_and_unicode_line_separators_do_not_count_as_lines():
    text = "one\x0c\u2028\x85 still the first line of all\n\nlast"

    (found,) = markdown_passages("a.md", text)

    assert (found.start_line, found.end_line) == (1, 3)


def test_a_long_list_is_split_between_its_items_and_a_long_line_between_its_sentences():
    items = "\n".join(f"- item {number} says something of its own about subject {number}" for number in range(200))
    line = "This sentence is one of very many in a line. " * 200

    pieces = markdown_passages("a.md", f"# List\n\n{items}\n\n# Line\n\n{line}\n")

    assert max(len(piece.text) for piece in pieces) < 4_100
    assert all(piece.text.startswith("- item") for piece in pieces if piece.headings == ("List",))
    assert {(piece.start_line, piece.end_line) for piece in pieces if piece.headings == ("Line",)} == {(206, 206)}
    assert all(piece.text.endswith(".") for piece in pieces if piece.headings == ("Line",))


def test_a_document_of_headings_alone_still_has_a_passage():
    (found,) = markdown_passages("a.md", "# Only\n## Headings\n")

    assert "Headings" in found.text


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=400) | st.text(alphabet="#-*|`> \n\r\tab1.:", max_size=200)
)
def test_no_markdown_breaks_the_lines(text: str):
    for passage in markdown_passages("a.md", text):
        assert passage.text.replace("\r", "") in lines(text, passage.start_line, passage.end_line).replace("\r", "")


def test_each_object_of_an_array_is_a_passage_with_its_pointer_lines_and_title():
    text = """{
 "title": "FAQ",
 "entries": [
  {"question": "Why?",
   "answer": "Because\\u0021"},
  {"name": "b"}
 ]
}"""

    found = json_passages("faq.json", text)

    assert [(p.pointer, p.start_line, p.end_line, p.headings) for p in found] == [
        ("", 2, 2, ("FAQ",)),
        ("/entries/0", 4, 5, ("FAQ", "entries")),
        ("/entries/1", 6, 6, ("FAQ", "entries")),
    ]
    assert found[1].reading == "question: Why?\nanswer: Because!"
    assert all(passage.text in lines(text, passage.start_line, passage.end_line) for passage in found)


def test_pointers_escape_slashes_and_tildes():
    found = json_passages("a.json", json.dumps({"a/b": [{"x": "one"}], "c~d": [{"x": "two"}]}))

    assert [passage.pointer for passage in found] == ["/a~1b/0", "/c~0d/0"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    ),
    st.sampled_from([None, 1]),
)
def test_every_json_value_is_read_and_stands_where_it_says(value: object, indent: int | None):
    text = json.dumps(value, indent=indent)

    for passage in json_passages("a.json", text):
        assert passage.text in lines(text, passage.start_line, passage.end_line)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n "a": 1,\n}', "line 3, column 1"),
        ("", "line 1, column 1"),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("[" * 100_000 + "]" * 100_000, "deeper than 64"),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_its_place(text: str, problem: str):
    with pytest.raises(MalformedJsonError, match="bad.json") as refused:
        json_passages("bad.json", text)

    assert problem in refused.value.detail


# Read in less than a second as each is read once; read anew from every character of a run, it would take hours.
LONG = 1_000_000


def test_a_run_of_letters_is_one_word_however_long():
    assert words_of("a" * LONG) == ["a" * 40]
    assert words_of("keep-alive " + "a" * 50 + "-" + "b" * LONG)[:2] == ["keepalive", "a" * 40]


@pytest.mark.parametrize(
    "text",
    [
        "# Fees" + " " * LONG + "x\n\nText.",
        "---\ntitle: Fees" + " " * LONG + "x\n---\nText.",
        "---\ntitle:" + " " * LONG + "\n---\n# Fees\n\nText.",
        "# Fees" + " {#x}" * (LONG // 5) + "\n\nText.",
        "# Fees" + "s" * LONG + "\n\nText.",
    ],
)
def test_a_title_is_cut_and_its_spaces_are_read_once(text):
    (passage,) = markdown_passages("a.md", text)

    (heading,) = passage.headings
    assert heading.startswith("Fees")
    assert len(heading) <= LONGEST_HEADING


def test_values_of_an_array_share_passages():
    found = json_passages("a.json", json.dumps({"rates": ["seven percent"] * 1_000}))

    assert len(found) < 20
    assert sum(passage.reading.count("seven percent") for passage in found) == 1_000
    assert {passage.pointer for passage in found} == {"/rates"}


def test_json_of_too_many_values_is_refused():
    with pytest.raises(DocumentTooLargeError, match="a.json: holds more than 200,000 values"):
        json_passages("a.json", "[" + "0," * MOST_VALUES + "0]")


@pytest.mark.parametrize("escaped", ["\\ud800", "\\udc00\\ud800", "\\u0000"])
def test_what_json_escapes_and_nothing_can_store_is_replaced(escaped):
    (passage,) = json_passages("a.json", f'{{"name": "a{escaped}", "b{escaped}": "c"}}')

    assert "\ufffd" in passage.reading
    said = passage.reading + "".join(passage.headings) + passage.pointer
    assert "\0" not in said.encode().decode()


def test_integers_of_any_length_are_text():
    found = json_passages("a.json", '{"pi": 3' + "1" * 5_000 + "}")

    assert "".join(passage.reading for passage in found) == "pi:3" + "1" * 5_000
