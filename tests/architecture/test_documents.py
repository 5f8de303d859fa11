"""What documents point at is there."""

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.tree import ROOT, files, text

DOCUMENTS = [name for name in files() if name.endswith(".md") and not name.startswith("tests/")]
DOCUMENTS = [name for name in DOCUMENTS if "/template/" not in name]
DECISIONS = [name for name in DOCUMENTS if re.fullmatch(r"docs/decisions/\d{4}-[\w-]+\.md", name)]
LINK = re.compile(r"\]\((?P<target>[^)\s#]+)(?:#[^)]*)?\)")
TEST_OR_TOOL = re.compile(r"`(?P<path>(?:tests|tools)/[\w/.-]+)`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(document: str) -> None:
    targets = [match["target"] for match in LINK.finditer(text(document)) if "://" not in match["target"]]
    folder = PurePosixPath(document).parent

    assert [target for target in targets if not (ROOT / folder / target).exists()] == []


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", *DECISIONS])
def test_tests_and_tools_that_a_document_relies_on_exist(document: str) -> None:
    assert [
        match["path"] for match in TEST_OR_TOOL.finditer(text(document)) if not (ROOT / match["path"]).exists()
    ] == []


@pytest.mark.parametrize("decision", DECISIONS)
def test_decision_names_what_enforces_it(decision: str) -> None:
    enforced = text(decision).partition("**Enforced by.**")[2]

    assert TEST_OR_TOOL.search(enforced), "a decision without a check is a wish"


def test_architecture_is_one_page() -> None:
    assert len(text("ARCHITECTURE.md").splitlines()) <= 90
