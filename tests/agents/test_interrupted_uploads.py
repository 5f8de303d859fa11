"""Uploads whose process was killed: they leave no directory for ever."""

import os
import time

from promptcraft.agents.tasks import FORGET_UPLOADS
from promptcraft.app.work import standing_jobs_of
from promptcraft.kernel.jobs import ensure_standing_jobs, run_standing_job
from tests.agents.conftest import uploaded


async def test_what_an_interrupted_upload_left_is_removed_and_nothing_else(platform, alice):
    await uploaded(alice)
    places = platform.parts.factory.places
    abandoned, arriving = (places.data / "workspaces" / f"upload-{name}" for name in ("abandoned", "arriving"))
    for upload in (abandoned, arriving):
        upload.mkdir(parents=True)
        (upload / "archive").write_bytes(b"half of it")
    long_ago = time.time() - 2 * 3600
    for path in (abandoned / "archive", abandoned, arriving):
        os.utime(path, (long_ago, long_ago))

    await ensure_standing_jobs(platform.db, standing_jobs_of(platform.parts).values())
    await run_standing_job(platform.db, standing_jobs_of(platform.parts), FORGET_UPLOADS, "test")

    assert places.incoming_uploads() == [arriving]
    assert len(list((places.data / "knowledge" / str(alice.org_id)).iterdir())) == 1
