"""Alembic's revisions, and who may touch which table."""

from promptcraft.migrations.access import SYSTEM_TABLES
from promptcraft.migrations.upgrade import upgrade

__all__ = ["SYSTEM_TABLES", "upgrade"]
