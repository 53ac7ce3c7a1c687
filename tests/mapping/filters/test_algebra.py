"""What holds of filters whatever the value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.mapping.filters.words import NO, YES
from tests.mapping.filters.reading import INVALID, TABLES, made

WHATEVER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
FILTERS = st.sampled_from(
    [
        *("trim", "lower", "upper", "replace: a, b", "number", "number: comma", "boolean", "phone: GB", "sha256"),
        *("date: %d.%m.%Y", "date: %Y-%m-%d %H:%M, Europe/Berlin", "date: excel", "date: epoch"),
        *("lookup: any", "json", "json: a.0"),
    ]
)
CENTS = st.integers(-(10**15), 10**15)
GAPS = st.sampled_from([",", " ", "'", "\u2019", "\u00a0", "\u202f", ""])
FORMS = st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "'%B %d, %Y'", "'%a, %d %b %Y'", "%Y%m%d", "%A %d.%m.%Y"])


def grouped(cents: int, *, gap: str, point: str) -> str:
    """An amount as a person writes it."""
    text = f"{abs(cents) // 100:,}".replace(",", gap) + point + f"{abs(cents) % 100:02}"
    return f"-{text}" if cents < 0 else text


@settings(max_examples=200, deadline=None)
@given(cents=CENTS, gap=GAPS, currency=st.sampled_from(["", "€ ", "USD "]))
def test_an_amount_comes_back_when_it_was_grouped(cents: int, gap: str, currency: str) -> None:
    """Whatever stands between its groups; and under `number: comma` with both signs the other way round."""
    amount = Decimal(cents) / 100
    written = grouped(cents, gap=gap, point=".")
    swapped = grouped(cents, gap="." if gap == "," else gap, point=",")

    assert made("number", currency + written) == amount
    assert made("number: comma", swapped + f" {currency}".rstrip()) == amount


@settings(max_examples=200, deadline=None)
@given(cents=CENTS, gap=st.sampled_from([",", " ", "'"]))
def test_an_amount_is_never_read_otherwise_when_the_other_sign_is_meant(cents: int, gap: str) -> None:
    """What has a decimal comma is refused under `number`, and never another number."""
    written = grouped(cents, gap="." if gap == "," else gap, point=",")

    assert made("number", written) is INVALID


@settings(max_examples=200, deadline=None)
@given(filters=FILTERS, value=WHATEVER)
def test_a_value_is_read_or_refused_whatever_it_is(filters: str, value: Any) -> None:
    """Nothing is raised, and `else` lets everything pass."""
    made(filters, value, scene=TABLES)

    assert made(f"{filters} | else", value, scene=TABLES) is not INVALID


@settings(max_examples=200, deadline=None)
@given(filters=st.sampled_from(["trim", "lower", "upper", "number", "boolean", "phone: GB"]), value=WHATEVER)
def test_a_result_stays_when_it_is_filtered_again(filters: str, value: Any) -> None:
    """What is in order stays as it is."""
    once = made(filters, value)

    if once is not INVALID and not isinstance(value, str | float):  # `ŉ` in capitals is two letters; NaN is not itself
        assert made(filters, once) == once


@settings(max_examples=200, deadline=None)
@given(day=st.dates(), form=FORMS)
def test_a_day_comes_back_when_it_was_written_in_a_form(day: dt.date, form: str) -> None:
    """As `strftime` writes it, in English."""
    written = day.strftime(form.strip("'").replace("%Y", f"{day.year:04}"))

    assert made(f"date: {form}", written) == day.isoformat()


@settings(max_examples=200, deadline=None)
@given(moment=st.datetimes(min_value=dt.datetime(1900, 3, 1), max_value=dt.datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_moment_comes_back_when_a_spreadsheet_counted_it(moment: dt.datetime) -> None:
    """To the second, out of the double that a spreadsheet keeps."""
    moment = moment.replace(microsecond=0)
    serial = (moment - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)  # noqa: DTZ001

    found = made("date: excel", serial)

    read = dt.datetime.fromisoformat(found).replace(tzinfo=None)
    assert abs(read - moment) < dt.timedelta(seconds=0.1)


@settings(max_examples=200, deadline=None)
@given(national=st.integers(7_000_000_000, 7_999_999_999), gaps=st.lists(st.sampled_from(list(" -./()")), max_size=6))
def test_a_number_is_one_when_it_is_written_in_many_ways(national: int, gaps: list[str]) -> None:
    """Whatever stands between its digits, and however it begins."""
    digits = str(national)
    spread = digits[:4] + "".join(gaps[:3]) + digits[4:7] + "".join(gaps[3:]) + digits[7:]

    for begin in ("0", "+44", "0044 ", "+44 (0)"):
        assert made("phone: GB", begin + spread) == f"+44{digits}"


def test_no_word_says_both_when_consent_hangs_on_it() -> None:
    """Nor is one in the wrong case, which would never be met."""
    words = [*YES, *NO]

    assert len(set(words)) == len(words)
    assert [word for word in words if word != word.casefold().strip()] == []
