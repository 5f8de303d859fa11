"""Where buckets start: computed here from the zone's rules, so that the database only has to sort into them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from promptcraft.analytics.schemas import Granularity

_HOUR = 60


def bucket_starts(start: datetime, end: datetime, granularity: Granularity, zone: ZoneInfo) -> list[datetime]:
    """The buckets that [start, end) touches, in order, each by the instant it starts, in `zone`.

    The first may start before `start`. A day has 23, 24 or 25 hours where the clocks change; a week starts on Monday.
    """
    starts = _hours(start, zone) if granularity == "hour" else _days(start, granularity, zone)
    found: list[datetime] = []
    for bucket in starts:
        if bucket >= end.astimezone(UTC):
            break
        found.append(bucket)
    return [bucket.astimezone(zone) for bucket in found]


def _hours(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Steps of real time: the hour that comes twice in autumn is two buckets, the one missing in spring is none."""
    local = start.astimezone(zone)
    into_the_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    at = start.astimezone(UTC) - into_the_hour
    while True:
        yield at
        # To the next full hour of the local clock, which where the clock moves by half an hour is not 60 minutes away.
        at += timedelta(minutes=_HOUR - at.astimezone(zone).minute)


def _days(start: datetime, granularity: Granularity, zone: ZoneInfo) -> Iterator[datetime]:
    day = start.astimezone(zone).date()
    if granularity == "week":
        day -= timedelta(days=day.weekday())
    elif granularity == "month":
        day = day.replace(day=1)
    while True:
        yield datetime.combine(day, time(), zone).astimezone(UTC)
        day = _next(day, granularity)


def _next(day: date, granularity: Granularity) -> date:
    if granularity == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if granularity == "week" else 1)
