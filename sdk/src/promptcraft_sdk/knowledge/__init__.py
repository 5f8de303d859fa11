"""Knowledge: documents in, an index of citable passages out."""

from promptcraft_sdk.knowledge.documents import document_files, largest
from promptcraft_sdk.knowledge.errors import KnowledgeError
from promptcraft_sdk.knowledge.index import Index, Ingested, content_sha256, ingest, load_index
from promptcraft_sdk.knowledge.json_documents import check_json
from promptcraft_sdk.knowledge.passages import Passage

__all__ = [
    "Index",
    "Ingested",
    "KnowledgeError",
    "Passage",
    "check_json",
    "content_sha256",
    "document_files",
    "ingest",
    "largest",
    "load_index",
]
