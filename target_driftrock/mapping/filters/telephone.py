"""Telephone numbers in the form of E.164: `+442079460018`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from target_driftrock.mapping.filters.reading import UNREADABLE, ArgumentInvalid, Filter, Scene, of_text, unknown
from target_driftrock.mapping.grammar import Argument

_SIGNS = re.compile(r"[(\s]*\+?[0-9()\-./\s]+")
_LONGEST = 40


def phone(arguments: Sequence[Argument], _: Scene) -> Filter:
    """Reads the numbers of a country, and those that name theirs by `+` or as one dials abroad from there."""
    if len(arguments) != 1:
        raise ArgumentInvalid("takes a country by its two letters, as in phone: GB")
    # An eighth of a second to import, which a start without telephone numbers does not wait for.
    from phonenumbers import SUPPORTED_REGIONS, NumberParseException, PhoneNumberFormat, format_number, parse
    from phonenumbers.phonenumberutil import ValidationResult, is_possible_number_with_reason

    region = arguments[0].text
    if region not in SUPPORTED_REGIONS:
        raise unknown("gb" if region.upper() == "UK" else region, SUPPORTED_REGIONS, what="country")

    def read(text: str) -> Any:
        if len(text) > _LONGEST or not _SIGNS.fullmatch(text):
            return UNREADABLE
        try:
            number = parse(text, region)
        except NumberParseException:
            return UNREADABLE
        # Not what could be dialled within its town alone: without the town's digits it is another number.
        if is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            return UNREADABLE
        return format_number(number, PhoneNumberFormat.E164)

    return of_text(read)
