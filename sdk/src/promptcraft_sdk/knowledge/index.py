"""The index of an agent's knowledge: made once, kept in the repository, read at start."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.knowledge.documents import read_documents
from promptcraft_sdk.knowledge.errors import IndexUnusableError, NoDocumentsError
from promptcraft_sdk.knowledge.passages import Passage
from promptcraft_sdk.knowledge.untyped import BM25
from promptcraft_sdk.knowledge.words import stems_of, without_addresses

FORMAT: Final = 1
# a word in a heading says more about a passage than one in its text
_TIMES_HEADINGS_COUNT: Final = 2

Numbers = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingestion took in. `content_sha256` is of all documents' names and bytes."""

    documents: int
    passages: int
    content_sha256: str


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    file: str
    sha256: str
    passages: int


class Index:
    """Passages and the BM25 scores of the stems in them."""

    def __init__(self, documents: Sequence[IndexedDocument], passages: Sequence[Passage], bm25: Any) -> None:
        self.documents = tuple(documents)
        self.passages = tuple(passages)
        self._bm25 = bm25
        self._numbers: dict[str, int] = bm25.vocab_dict

    @property
    def content_sha256(self) -> str:
        return _content_sha256(self.documents)

    def postings(self, stem: str) -> Numbers:
        """The numbers of the passages that hold a stem."""
        number = self._numbers.get(stem)
        if number is None:
            return np.empty(0, dtype=np.int32)
        start, end = self._bm25.scores["indptr"][number : number + 2]
        found: Numbers = self._bm25.scores["indices"][start:end]
        return found

    def scores(self, stems: Iterable[str]) -> Scores:
        """The BM25 score of every passage for these stems."""
        known = [self._numbers[stem] for stem in stems if stem in self._numbers]
        if not known:
            return np.zeros(len(self.passages), dtype=np.float32)
        found: Scores = self._bm25.get_scores_from_ids(known)
        return found


def ingest(knowledge_dir: Path, index_dir: Path) -> Ingested:
    """Read every document below `knowledge_dir` and write the index of their passages to `index_dir`.

    The same documents give the same bytes. What was in `index_dir` is replaced, after the new index is complete.
    Raises KnowledgeError (a document that cannot be read, or none at all).
    """
    read = list(read_documents(knowledge_dir))
    documents = [IndexedDocument(doc.file, doc.sha256, len(doc.passages)) for doc in read]
    passages = [passage for doc in read for passage in doc.passages]
    stems = [indexed_stems(passage) for passage in passages]
    if not any(stems):
        raise NoDocumentsError(knowledge_dir.name, "no Markdown or JSON document with text in it")
    ingested = Ingested(len(documents), len(passages), _content_sha256(documents))
    new = index_dir.with_name(index_dir.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    head = {"format": FORMAT, **asdict(ingested), "documents": [asdict(document) for document in documents]}
    (new / "index.json").write_text(_json(head, indent=2), encoding="utf-8")
    with (new / "passages.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_json({"id": passage.id, **asdict(passage)}) for passage in passages)
    _write_scores(stems, new / "bm25")
    shutil.rmtree(index_dir, ignore_errors=True)
    new.rename(index_dir)
    return ingested


def load_index(index_dir: Path) -> Index:
    """The index that `ingest` wrote. Raises IndexUnusableError when it is missing, damaged or of another format."""
    try:
        head = json.loads((index_dir / "index.json").read_text(encoding="utf-8"))
        if head["format"] != FORMAT:
            raise IndexUnusableError(index_dir.name, f"format {head['format']} is not the format {FORMAT} known here")
        documents = [IndexedDocument(**document) for document in head["documents"]]
        with (index_dir / "passages.jsonl").open(encoding="utf-8") as lines:
            passages = [_passage(json.loads(line)) for line in lines]
        bm25 = BM25.load(index_dir / "bm25", show_progress=False)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise IndexUnusableError(index_dir.name, f"cannot be read ({error})") from error
    if len(passages) != sum(document.passages for document in documents):
        raise IndexUnusableError(index_dir.name, "its files are not of one ingestion")
    return Index(documents, passages, bm25)


def content_sha256(knowledge_dir: Path) -> str:
    """What `Index.content_sha256` is as long as the documents are those that were ingested."""
    read = read_documents(knowledge_dir)
    return _content_sha256([IndexedDocument(doc.file, doc.sha256, len(doc.passages)) for doc in read])


def indexed_stems(passage: Passage) -> list[str]:
    """What a passage is found by: its text, the headings above it, the words of its file's path."""
    path = PurePosixPath(passage.file)
    name = " ".join((*path.parts[:-1], path.stem))
    above = stems_of(" ".join((name, *passage.headings)))
    return above * _TIMES_HEADINGS_COUNT + stems_of(without_addresses(f"{passage.context}\n{passage.reading}"))


def _write_scores(stems: Sequence[Sequence[str]], target: Path) -> None:
    vocabulary = {stem: number for number, stem in enumerate(sorted(set(chain.from_iterable(stems))))}
    bm25 = BM25()
    numbered = [[vocabulary[stem] for stem in of_one] for of_one in stems]
    bm25.index((numbered, vocabulary), create_empty_token=False, show_progress=False)
    bm25.save(target, show_progress=False)
    # the library writes this with whichever JSON package is installed, and so in bytes that differ
    (target / "vocab.index.json").write_text(_json(vocabulary), encoding="utf-8")


def _passage(fields: dict[str, Any]) -> Passage:
    del fields["id"]
    fields["headings"] = tuple(fields["headings"])
    return Passage(**fields)


def _content_sha256(documents: Sequence[IndexedDocument]) -> str:
    named = (f"{document.sha256}  {document.file}\n" for document in documents)
    return hashlib.sha256("".join(named).encode()).hexdigest()


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent) + "\n"
