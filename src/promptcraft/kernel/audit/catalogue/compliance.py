"""What is done for those who leave."""

from promptcraft.kernel.audit.event import Event

OFFBOARDING_REQUESTED = Event(
    id=12001,
    name="organisation.offboard",
    sentence="{actor} began to offboard the organisation {resource}",
    type="authorization",
    category="security",
    severity="warning",
)
EXPORT_WRITTEN = Event(
    id=12002,
    name="organisation.export",
    sentence="everything of the organisation {resource} was written to an export of {bytes} bytes, SHA-256 {sha256}",
    type="data_access",
    category="compliance",
)
EXPORT_FETCHED = Event(
    id=12003,
    name="organisation.fetch_export",
    sentence="{actor} fetched the export of the organisation {resource}, SHA-256 {sha256}",
    type="data_access",
    category="compliance",
    severity="warning",
)
OFFBOARDING_FAILED = Event(
    id=12004,
    name="organisation.offboard_fail",
    sentence="offboarding the organisation {resource} failed: {error}",
    type="error",
    category="security",
    severity="warning",
    status="failure",
)
