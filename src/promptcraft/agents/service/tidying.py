"""Clearing away what the end of a process left behind and nobody else looks for."""

import asyncio
import time
from pathlib import Path

from promptcraft.agents.clients.places import remove
from promptcraft.agents.service.factory import Factory

# Longer than any upload takes; as its bytes arrive, its archive gets newer.
_ABANDONED_SECONDS = 3600.0


async def forget_interrupted_uploads(factory: Factory) -> None:
    """Remove what uploads left whose process was killed: nothing was answered, so nobody can name them."""
    await asyncio.to_thread(_remove_abandoned, factory.places.incoming_uploads())


def _remove_abandoned(uploads: list[Path]) -> None:
    for upload in uploads:
        changed = max((path.lstat().st_mtime for path in (upload, *upload.iterdir())), default=0.0)
        if time.time() - changed > _ABANDONED_SECONDS:
            remove(upload)
