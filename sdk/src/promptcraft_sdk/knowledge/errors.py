"""What can be wrong with knowledge; each names the file and what to do about it."""


class KnowledgeError(Exception):
    """A document or an index that cannot be used.

    `file` is relative to the knowledge directory, `detail` says what is wrong, `next_step` what to do.
    """

    next_step = "Correct the file and ingest the knowledge again."

    def __init__(self, file: str, detail: str) -> None:
        super().__init__(f"{file}: {detail}")
        self.file = file
        self.detail = detail


class NotUtf8Error(KnowledgeError):
    next_step = "Save the file as UTF-8 and ingest the knowledge again."


class MalformedJsonError(KnowledgeError):
    next_step = "Correct the JSON at the line named and ingest the knowledge again."


class DocumentTooLargeError(KnowledgeError):
    next_step = "Split the document into smaller files and ingest the knowledge again."


class NoDocumentsError(KnowledgeError):
    next_step = "Add at least one Markdown (.md) or JSON (.json) document with text in it."


class IndexUnusableError(KnowledgeError):
    next_step = "Run scripts/ingest_knowledge.py to write the index again."
