"""Settings of audit: how long the log is kept and where it is copied to."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class AuditSettings(ContextSettings):
    """The log of what happened."""

    context: ClassVar[str] = "audit"

    audit_db_url: Annotated[
        SecretStr | None,
        Setting(addresses.DATABASE, "archive in PostgreSQL that the log is exported to", effect=False),
    ] = None
    external_siem_url: Annotated[
        SecretStr | None, Setting(addresses.SIEM, "first sink of the export", effect=False)
    ] = None
    data_retention_days: Annotated[
        timedelta,
        Setting(
            forms.duration("d"),
            "how long events are kept; refused below what COMPLIANCE_LEVEL asks",
            effect=False,
            unset="2557 (seven years)",
        ),
    ] = timedelta(days=2557)
