"""Numbers and times as people read them; what is not known is a dash, never a zero."""

from datetime import UTC, datetime
from uuid import UUID

UNKNOWN = "-"


def short(identifier: UUID | str) -> str:
    """The beginning of an id that holds its millisecond: shorter ones are shared by all that ran in one minute."""
    return str(identifier)[:13]


def moment(time: datetime | None) -> str:
    return UNKNOWN if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"


def share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def dollars(value: float | None) -> str:
    return UNKNOWN if value is None else f"${value:,.4f}"


def rating(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} of 5"
