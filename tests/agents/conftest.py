from pathlib import Path

import pytest

from promptcraft.agents.service.render import Supplies, index_knowledge, render_repository, write_tests
from promptcraft_sdk.configuration import AgentConfig

HANDBOOK = Path(__file__).parent / "handbook"


@pytest.fixture(scope="session")
def supplies() -> Supplies:
    return Supplies.of_installation()


@pytest.fixture
def render(supplies: Supplies, tmp_path: Path):
    """A complete repository of an agent over the handbook, as the factory writes it, before git."""

    def write(config: AgentConfig, name: str = "repository") -> Path:
        target = tmp_path / name
        render_repository(target, config, HANDBOOK, supplies)
        index_knowledge(target)
        write_tests(target)
        return target

    return write
