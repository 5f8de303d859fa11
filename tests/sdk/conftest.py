from collections.abc import Callable
from pathlib import Path

import pytest

from promptcraft_sdk.knowledge import Index, ingest, load_index

HANDBOOK = Path(__file__).parent.parent / "agents" / "handbook"


@pytest.fixture
def knowledge(tmp_path: Path) -> Callable[[dict[str, str | bytes]], Path]:
    """A directory of documents, from their names and texts."""

    def write(documents: dict[str, str | bytes]) -> Path:
        directory = tmp_path / "documents"
        for name, content in documents.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return directory

    return write


@pytest.fixture
def indexed(knowledge, tmp_path: Path) -> Callable[[dict[str, str | bytes]], Index]:
    def index(documents: dict[str, str | bytes]) -> Index:
        ingest(knowledge(documents), tmp_path / "index")
        return load_index(tmp_path / "index")

    return index


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Index:
    target = tmp_path_factory.mktemp("handbook") / "index"
    ingest(HANDBOOK, target)
    return load_index(target)
