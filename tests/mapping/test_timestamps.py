"""`created_at`: every form that taps write a time in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.timestamps import utc

TEN = "2019-12-02T10:00:00.000Z"
MIDNIGHT = "2019-12-02T00:00:00.000Z"
EPOCH = 1575280800
SINCE, UNTIL = 946_684_800, 4_133_980_800
"""The first second of 2000, and of 2101."""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(TEN, TEN, id="the API's form"),
        pytest.param("2019-12-02T10:00:00Z", TEN, id="no fraction"),
        pytest.param("2019-12-02t10:00:00z", TEN, id="small letters, RFC 3339"),
        pytest.param("2019-12-02T11:30:00+01:30", TEN, id="an offset"),
        pytest.param("2019-12-02 10:00:00+00", TEN, id="PostgreSQL's text"),
        pytest.param("2019-12-02 10:00:00 +0000", TEN, id="an offset after a space"),
        pytest.param("2019-12-02 10:00:00", TEN, id="naive is UTC"),
        pytest.param("2019-12-02T10:00:00.123999999Z", "2019-12-02T10:00:00.123Z", id="nanoseconds are cut"),
        pytest.param("20191202T100000Z", TEN, id="the basic form"),
        pytest.param("2026-W01-1", "2025-12-29T00:00:00.000Z", id="a week date"),
        pytest.param("2019-12-02", MIDNIGHT, id="a date"),
        pytest.param("20191202", MIDNIGHT, id="a date of digits"),
        pytest.param(" 2019-12-02 ", MIDNIGHT, id="padded"),
        pytest.param("2019-12-01T23:00:00-11:00", TEN, id="an offset over a day's end"),
        pytest.param("0001-01-01", "0001-01-01T00:00:00.000Z", id="the first year"),
        pytest.param("9999-12-31T23:59:59.9999", "9999-12-31T23:59:59.999Z", id="the last year"),
        pytest.param(dt.date(2019, 12, 2), MIDNIGHT, id="a date object"),
        pytest.param(dt.datetime(2019, 12, 2, 10), TEN, id="a naive datetime"),  # noqa: DTZ001 - the point of it
        pytest.param(
            dt.datetime(2019, 12, 2, 11, tzinfo=dt.timezone(dt.timedelta(hours=1))), TEN, id="an aware datetime"
        ),
        pytest.param(EPOCH, TEN, id="seconds"),
        pytest.param(EPOCH * 1000, TEN, id="milliseconds"),
        pytest.param(EPOCH + 0.123, "2019-12-02T10:00:00.123Z", id="a float is read as it is written"),
        pytest.param(Decimal("1575280800.1239"), "2019-12-02T10:00:00.123Z", id="a decimal"),
        pytest.param(Decimal("1.5752808E+9"), TEN, id="a decimal with an exponent"),
        pytest.param("1575280800", TEN, id="ten digits are seconds"),
        pytest.param("1575280800000", TEN, id="thirteen digits are milliseconds"),
        pytest.param(SINCE, "2000-01-01T00:00:00.000Z", id="the first second of 2000"),
        pytest.param(SINCE * 1000, "2000-01-01T00:00:00.000Z", id="its first millisecond"),
        pytest.param(UNTIL - 1, "2100-12-31T23:59:59.000Z", id="the last second of 2100"),
        pytest.param(UNTIL * 1000 - 1, "2100-12-31T23:59:59.999Z", id="its last millisecond"),
        pytest.param(UNTIL - 0.001, "2100-12-31T23:59:59.999Z", id="its last second's last part"),
        pytest.param("0946684800", "2000-01-01T00:00:00.000Z", id="ten digits that begin with a zero"),
    ],
)
def test_writes_utc_when_value_is_a_time(value: Any, written: str) -> None:
    """A time in any of these forms is written in the API's, in UTC."""
    assert utc(value) == written


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("yesterday", id="a word"),
        pytest.param("2019-02-30", id="no such day"),
        pytest.param("2019", id="a year"),
        pytest.param("0001-01-01T00:00+14:00", id="before the first year"),
        pytest.param("9999-12-31T23:00-14:00", id="after the last year"),
        pytest.param("201912021100000", id="fifteen digits"),
        pytest.param("20191202100000", id="fourteen digits"),
        pytest.param("٢٠١٩١٢٠٢", id="digits that are not ASCII"),
        pytest.param("١٥٧٥٢٨٠٨٠٠", id="ten such digits"),
        pytest.param("2019-12-02\ud800", id="a lone surrogate"),
        pytest.param(True, id="a boolean"),
        pytest.param(None, id="null"),
        pytest.param([EPOCH], id="a list"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("-inf"), id="an infinite float"),
        pytest.param(Decimal("sNaN"), id="a signalling NaN"),
        pytest.param(Decimal("1E+999999999"), id="a decimal beyond all bounds"),
        pytest.param(10**5000, id="an integer beyond all bounds"),
        pytest.param(253402300800000, id="the year 10000"),
        pytest.param(-62135596800001, id="the year 0"),
        pytest.param(0, id="the epoch itself"),
        pytest.param(-EPOCH, id="before the epoch"),
        pytest.param(SINCE - 1, id="the last second of 1999"),
        pytest.param(SINCE * 1000 - 1, id="its last millisecond"),
        pytest.param(Decimal(SINCE) - Decimal("0.0001"), id="its last second's last part"),
        pytest.param(UNTIL, id="the first second of 2101"),
        pytest.param(UNTIL * 1000, id="its first millisecond"),
        pytest.param(10**11, id="between seconds and milliseconds"),
        pytest.param(EPOCH * 10**6, id="microseconds"),
        pytest.param(EPOCH * 10**9, id="nanoseconds"),
        pytest.param(46083.38, id="a spreadsheet's day"),
        pytest.param(20514, id="days since the epoch"),
        pytest.param(20260302, id="a date as a number"),
        pytest.param(20260302101500, id="a date and time as a number"),
        pytest.param(2026, id="a year as a number"),
        pytest.param("0000000000", id="ten zeros"),
        pytest.param("9999999999999", id="thirteen nines"),
    ],
)
def test_writes_nothing_when_value_is_no_time(value: Any) -> None:
    """What is no time between the years 1 and 9999 is none; nothing is raised."""
    assert utc(value) is None


MOMENTS = st.datetimes(
    min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis wants them naive
    max_value=dt.datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.timezones(),
)


@settings(max_examples=80, deadline=None)
@given(moment=MOMENTS)
def test_is_same_moment_when_read_again(moment: dt.datetime) -> None:
    """What is written is the same moment, to the millisecond, in every form that it came in."""
    written = utc(moment)

    assert written is not None
    again = dt.datetime.fromisoformat(written)
    assert dt.timedelta(0) <= moment.astimezone(dt.UTC) - again < dt.timedelta(milliseconds=1)
    assert utc(written) == written == utc(moment.isoformat()) == utc(moment.astimezone(dt.UTC))


@settings(max_examples=80, deadline=None)
@given(value=st.text() | st.integers() | st.floats() | st.decimals() | st.text(alphabet="0123456789-:.TZW+ "))
def test_never_raises_when_value_is_anything(value: Any) -> None:
    """Any value is a time or is none."""
    written = utc(value)

    assert written is None or len(written) == len(TEN)
