"""Write the index of knowledge/documents again, or with --check say whether that is needed."""

import argparse
import sys
from pathlib import Path

from promptcraft_sdk.knowledge import KnowledgeError, content_sha256, ingest, load_index

KNOWLEDGE = Path(__file__).resolve().parents[1] / "knowledge"
DOCUMENTS = KNOWLEDGE / "documents"
INDEX = KNOWLEDGE / "index"


def check() -> int:
    if load_index(INDEX).content_sha256 == content_sha256(DOCUMENTS):
        print("the index is up to date")
        return 0
    print("the documents have changed: run scripts/ingest_knowledge.py", file=sys.stderr)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the documents have changed")
    try:
        if parser.parse_args().check:
            return check()
        taken = ingest(DOCUMENTS, INDEX)
    except KnowledgeError as error:
        print(f"{error}\n{error.next_step}", file=sys.stderr)
        return 2
    print(f"{taken.documents} documents, {taken.passages} passages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
