"""Knowledge that is sent to the platform."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from sqlalchemy.dialects.postgresql import insert

from promptcraft.agents.clients import Unpacked, unpack
from promptcraft.agents.clients.archive import MOST_BYTES
from promptcraft.agents.clients.places import remove
from promptcraft.agents.errors import ArchiveTooLarge, StorageFull, StorageNotWritable
from promptcraft.agents.schemas import Upload
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.sources import UPLOAD_PREFIX
from promptcraft.agents.tables import UploadRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.agents import KNOWLEDGE_UPLOADED
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.errors import TooLarge
from promptcraft.kernel.ids import new_id

# A tar is a little larger than what it holds; a packed one never needs to be.
_MOST_SENT = MOST_BYTES + 10**7


async def upload_knowledge(factory: Factory, actor: Actor, body: AsyncIterator[bytes]) -> Upload:
    """Store the documents of a tar or tar.gz; the same documents are stored once, under the same `source`.

    Raises ArchiveNotUsable naming the entry, ArchiveTooLarge, StorageFull, StorageNotWritable; nothing is kept then.
    """
    incoming = factory.places.incoming(new_id())
    try:
        await asyncio.to_thread(incoming.mkdir, parents=True)
        archive = incoming / "archive"
        await receive(body, archive, _MOST_SENT, ArchiveTooLarge)
        found = await asyncio.to_thread(unpack, archive, incoming / "documents")
        return await _keep(factory, actor, incoming / "documents", found)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EIO):
            raise StorageNotWritable from error
        raise
    finally:
        with suppress(OSError):  # what cannot be removed now is forgotten later, as an interrupted upload is
            await asyncio.to_thread(remove, incoming)


async def receive(body: AsyncIterator[bytes], archive: Path, most: int, refusal: type[TooLarge]) -> None:
    """Write a body of at most `most` bytes to a file. Raises the refusal where it is longer."""
    received = 0
    file: IO[bytes] = await asyncio.to_thread(archive.open, "wb")
    try:
        async for chunk in body:
            received += len(chunk)
            if received > most:
                raise refusal
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)


async def _keep(factory: Factory, actor: Actor, documents: Path, found: Unpacked) -> Upload:
    """Move the documents to their place, then record them."""
    await asyncio.to_thread(_move, documents, factory.places.upload(actor.org_id, found.sha256))
    async with unit_of_work(factory.db, actor) as session:
        row = {
            "org_id": actor.org_id, "sha256": found.sha256, "documents": found.documents, "bytes": found.bytes,
            "uploaded_by": actor.user_id, "uploaded_at": clock.now(),
        }  # fmt: skip
        await session.execute(insert(UploadRow).values(row).on_conflict_do_nothing())
        await audit.record(
            session, actor, KNOWLEDGE_UPLOADED, resource=found.sha256, documents=found.documents, bytes=found.bytes
        )
    return Upload(source=UPLOAD_PREFIX + found.sha256, documents=found.documents, bytes=found.bytes)


def _move(documents: Path, place: Path) -> None:
    """Make the documents the place's; whole as they come, those there already are the same and may be in use."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        documents.rename(place)
    except OSError:
        if not place.is_dir():
            raise
