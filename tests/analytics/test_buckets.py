"""Buckets start where the caller's clock says, also on the days on which it is changed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analytics.conftest import execution


async def volume(organisation, **parameters):
    """The buckets' starts and counts."""
    points = (await organisation.insights(metrics="usage", **parameters))["trends"]["query_volume"]
    return {point["date"]: point["count"] for point in points}


@pytest.mark.parametrize(
    ("zone", "midnight", "length"),
    [
        ("Europe/Berlin", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Berlin", "2026-10-25T00:00:00+02:00", 25),
        ("America/New_York", "2026-03-08T00:00:00-05:00", 23),
        ("America/New_York", "2026-11-01T00:00:00-04:00", 25),
    ],
)
async def test_day_on_which_the_clocks_change_is_as_long_as_it_is(acme, zone, midnight, length):
    start = datetime.fromisoformat(midnight)
    # every half hour of the days around it
    await acme.tells(*(execution(start + timedelta(minutes=30 * n)) for n in range(-10, 2 * length + 10)))

    days = await volume(acme, time_range="1y", tz=zone)
    hours = await volume(acme, time_range="1y", granularity="hour", tz=zone)

    assert days[midnight] == 2 * length
    # A day's hours are one bucket each: what comes twice in autumn is two, what spring leaves out is none.
    ours = [at for at in hours if start <= datetime.fromisoformat(at) < start + timedelta(hours=length)]
    assert [hours[at] for at in ours] == [2] * length


async def test_hour_that_comes_twice_is_told_apart_by_its_offset(acme):
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    await acme.tells(execution(first), execution(first + timedelta(hours=1)), execution(first + timedelta(hours=1)))

    hours = await volume(acme, granularity="hour", tz="Europe/Berlin")

    assert (hours["2026-10-25T02:00:00+02:00"], hours["2026-10-25T02:00:00+01:00"]) == (1, 2)


async def test_query_falls_on_the_callers_day(acme):
    await acme.tells(execution(datetime(2026, 11, 8, 23, 30, tzinfo=UTC)))

    found = {zone: +Counter(await volume(acme, tz=zone)) for zone in ("UTC", "Asia/Kolkata", "America/New_York")}

    assert found == {
        "UTC": {"2026-11-08T00:00:00Z": 1},
        "Asia/Kolkata": {"2026-11-09T00:00:00+05:30": 1},
        "America/New_York": {"2026-11-08T00:00:00-05:00": 1},
    }


async def test_weeks_start_on_monday_and_months_on_the_first(acme):
    sunday, monday = datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)
    await acme.tells(execution(sunday), execution(monday))

    weeks = await volume(acme, granularity="week")
    months = await volume(acme, granularity="month")

    assert weeks == {
        "2026-10-05T00:00:00Z": 0, "2026-10-12T00:00:00Z": 0, "2026-10-19T00:00:00Z": 0,
        "2026-10-26T00:00:00Z": 1, "2026-11-02T00:00:00Z": 1, "2026-11-09T00:00:00Z": 0,
    }  # fmt: skip
    assert months == {"2026-10-01T00:00:00Z": 0, "2026-11-01T00:00:00Z": 2}


@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware
    granularity=st.sampled_from(["hour", "day", "week", "month"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_buckets_cover_the_range_without_gap_anywhere(found, zone, now, granularity):
    organisation = found(now=now)

    dates = [datetime.fromisoformat(at) for at in await volume(organisation, granularity=granularity, tz=zone)]

    # Antarctica/Troll moves its clocks by two hours.
    longest = {"hour": 1, "day": 24 + 2, "week": 7 * 24 + 2, "month": 31 * 24 + 2}[granularity]
    assert dates[0] <= now - timedelta(days=30) < dates[1] if len(dates) > 1 else dates[0] <= now - timedelta(days=30)
    assert dates[-1] < now <= dates[-1] + timedelta(hours=longest)
    assert all(timedelta() < later - earlier <= timedelta(hours=longest) for earlier, later in pairwise(dates))
    local = [at.astimezone(ZoneInfo(zone)) for at in dates]
    if granularity == "week":
        assert {at.weekday() for at in local} == {0}
    if granularity == "month":
        assert {at.day for at in local} == {1}
    assert len({(at.date(), at.hour, at.minute, at.utcoffset()) for at in local}) == len(dates)
