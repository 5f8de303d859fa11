from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from promptcraft.registry import SocketUpstream
from tests.mcp_servers import short_directory


@pytest.fixture
async def directory() -> AsyncIterator[Path]:
    async with short_directory() as made:
        yield made


@pytest.fixture
async def upstream() -> AsyncIterator[SocketUpstream]:
    client = SocketUpstream()
    yield client
    await client.close()
