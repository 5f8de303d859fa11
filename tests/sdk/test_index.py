"""The index holds what the documents hold, the same bytes each time, and says what is wrong with a document."""

import hashlib
from pathlib import Path

import pytest

from promptcraft_sdk.knowledge import KnowledgeError, content_sha256, ingest, load_index
from promptcraft_sdk.knowledge.errors import IndexUnusableError, MalformedJsonError, NoDocumentsError, NotUtf8Error


def tree(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_documents_give_the_same_bytes_and_replace_what_was_there(knowledge, tmp_path):
    documents = knowledge(
        {"b/two.md": "# Two\n\nSecond text.", "one.md": "First text.", "data.json": '{"key": "value"}'}
    )
    index = tmp_path / "index"

    first = ingest(documents, index)
    bytes_then = tree(index)
    (index / "left-over").write_text("from before")
    ingest(documents, index)

    assert (first.documents, first.passages) == (3, 3)
    assert tree(index) == bytes_then


def test_hidden_files_links_and_other_kinds_are_left_out(knowledge, tmp_path):
    documents = knowledge({"a.md": "Text.", ".git/config.md": "hidden", "picture.png": b"\x89PNG"})
    (documents / "link.md").symlink_to(documents / "a.md")

    ingest(documents, tmp_path / "index")

    assert [document.file for document in load_index(tmp_path / "index").documents] == ["a.md"]


def test_a_changed_document_changes_the_content_hash(knowledge, tmp_path):
    documents = knowledge({"a.md": "Text.", "b.md": "More."})
    ingest(documents, tmp_path / "index")
    before = load_index(tmp_path / "index").content_sha256
    assert content_sha256(documents) == before

    (documents / "a.md").rename(documents / "c.md")

    assert content_sha256(documents) != before


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ({"ok.md": "Text.", "latin.md": "one\ncaf\xe9".encode("latin-1")}, NotUtf8Error, "latin.md: line 2"),
        ({"ok.md": "Text.", "bad.json": '{"a": }'}, MalformedJsonError, "bad.json: line 1, column 7"),
        ({"empty.md": "", "blank.md": "\n \n"}, NoDocumentsError, "no Markdown or JSON document"),
        ({"only.txt": "text"}, NoDocumentsError, "no Markdown or JSON document"),
    ],
)
def test_a_document_that_cannot_be_used_is_named_and_the_old_index_stays(knowledge, tmp_path, content, error, says):
    old = tmp_path / "index"
    (old / "bm25").mkdir(parents=True)

    with pytest.raises(error, match=says) as refused:
        ingest(knowledge(content), old)

    assert isinstance(refused.value, KnowledgeError)
    assert refused.value.next_step
    assert (old / "bm25").is_dir()


def test_a_damaged_or_foreign_index_is_refused(indexed, tmp_path):
    indexed({"a.md": "Text about mileage."})
    head = tmp_path / "index" / "index.json"
    whole = head.read_text()

    head.write_text(whole.replace('"format": 1', '"format": 2'))
    with pytest.raises(IndexUnusableError, match="format 2"):
        load_index(tmp_path / "index")
    head.write_text(whole[:-9])
    with pytest.raises(IndexUnusableError, match="cannot be read"):
        load_index(tmp_path / "index")
    with pytest.raises(IndexUnusableError, match="cannot be read"):
        load_index(tmp_path / "nowhere")
    head.write_text(whole)
    for scores in (tmp_path / "index" / "bm25").glob("*.npy"):
        scores.write_bytes(b"")
    with pytest.raises(IndexUnusableError, match="cannot be read"):
        load_index(tmp_path / "index")


def test_ten_thousand_passages_are_taken_in(knowledge, tmp_path):
    filler = " word" * 90
    text = [
        f"Paragraph {number} is about subject s{number % 997} and item i{number}.{filler}" for number in range(10_000)
    ]
    parts = {f"{part}.md": "\n\n".join(text[part * 500 : part * 500 + 500]) for part in range(20)}

    taken = ingest(knowledge(parts), tmp_path / "index")

    assert taken.passages == 10_000
    assert len(load_index(tmp_path / "index").postings("i4711")) == 1
