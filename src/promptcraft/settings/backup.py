"""Settings of backup."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting


class BackupSettings(ContextSettings):
    """When the platform is copied, and where to."""

    context: ClassVar[str] = "backup"

    backup_schedule: Annotated[
        str | None, Setting(forms.SCHEDULE, "when a backup is made", effect=False, example="0 2 * * *", unset="never")
    ] = None
    backup_retention_days: Annotated[
        timedelta, Setting(forms.duration("d"), "how long backups are kept", effect=False, unset="30")
    ] = timedelta(days=30)
    qdrant_backup_path: Annotated[
        Path | None, Setting(forms.PATH, "where copies of the vectors go; must be writable", effect=False)
    ] = None
    postgres_backup_path: Annotated[
        Path | None, Setting(forms.PATH, "where copies of the database go; must be writable", effect=False)
    ] = None
    s3_backup_bucket: Annotated[str | None, Setting(forms.WORD, "bucket for copies elsewhere", effect=False)] = None
