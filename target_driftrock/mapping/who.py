"""Whom an event is about: read from its `person_id`, and from the fields whose names say what they hold.

A name that only perhaps means the person (`owner_email`) is passed over: an event that names nobody is held where its
identity is in doubt, while one that names the wrong person could be taken for a change of another's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from target_driftrock.events.identity import Who
from target_driftrock.mapping.values import number

EMAIL = "email"
PHONE = "phone"

_EMAILS = frozenset(
    {
        *("email", "e mail", "mail", "email address", "e mail address", "mail address", "emailaddress"),
        *("email adresse", "e mail adresse", "mail adresse", "emailadresse", "mailadresse", "emailadres"),
        *("adresse email", "adresse e mail", "adresse mail", "courriel", "correo", "correo electronico"),
        *("indirizzo email", "indirizzo e mail", "e post", "epost"),
    }
)
_PHONES = frozenset(
    {
        *("phone", "telephone", "tel", "cell", "cellphone", "cell phone", "gsm", "msisdn"),
        *("mobile", "mobilephone", "mobile phone", "phone mobile", "mobil", "mobiltelefon", "mobilnummer"),
        *("telefon", "telefonnummer", "telefonnr", "rufnummer", "handy", "handynummer", "handynr"),
        *("telefono", "telefone", "telefoon", "telefoonnummer", "movil", "celular", "cellulare", "portable"),
    }
)
_OF_THE_PERSON = frozenset(
    {
        *("contact", "kontakt", "customer", "client", "lead", "person", "user", "subscriber", "your"),
        *("personal", "private", "privat", "home", "work", "business", "primary", "main"),
        *("properties", "property", "fields", "value", "c"),  # of HubSpot, of forms; Salesforce's Email__c
        *("number", "no", "nr", "num", "nummer", "numero", "de", "di", "1"),
        *("raw", "normalized", "lower", "hash", "hashed", "sha", "256", "md", "5"),
    }
)
"""Words that may stand beside such a name and leave it the person's own."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_SHORTEST_HASH = 32
_NO_DIGIT = re.compile(r"\D")
_PHONE_DIGITS = 9
_NAMES_REMEMBERED = 10_000
_KINDS: dict[str, tuple[str, int] | None] = {}
"""What `kind_of` has found of names: these come of SCHEMAs, and are few."""
_FEWEST_DIGITS = 6


def kind_of(name: str) -> tuple[str, int] | None:
    """What a field of this name holds, and how many other words its name has; None if it names no person."""
    if name not in _KINDS:
        if len(_KINDS) >= _NAMES_REMEMBERED:
            _KINDS.clear()
        _KINDS[name] = _kind(name)
    return _KINDS[name]


def _kind(name: str) -> tuple[str, int] | None:
    words = [word.lower() for word in _WORDS.findall(_without_accents(name))]
    own = [word for word in words if word not in _OF_THE_PERSON]
    joined = " ".join(own)
    others = len(words) - len(own)
    if joined in _EMAILS:
        return EMAIL, others
    return (PHONE, others) if joined in _PHONES else None


def names_somebody(names: Iterable[str]) -> bool:
    """Whether one of these fields says whom an event is about."""
    return any(map(kind_of, names))


def who(person_id: str | None, fields: Mapping[str, Any]) -> Who:
    """Whom an event with these fields is about. Of several fields of a kind the one with the plainest name counts."""
    email: str | None = None
    phone: str | None = None
    email_rank = phone_rank = (99, "")
    for name, value in fields.items():
        found = _KINDS[name] if name in _KINDS else kind_of(name)  # for each field of each event: no call
        if found is None:
            continue
        kind, others = found
        rank = others, name
        if kind is EMAIL and (email is None or rank < email_rank):
            read = _email(value)
            email, email_rank = (email, email_rank) if read is None else (read, rank)
        elif kind is PHONE and (phone is None or rank < phone_rank):
            read = _phone(value)
            phone, phone_rank = (phone, phone_rank) if read is None else (read, rank)
    return Who(person_id, email, phone)


def email_of(text: str) -> str | None:
    """An address, or the hash of one, as it is compared; None if the text is neither."""
    trimmed = text.strip()
    return trimmed.lower() if "@" in trimmed or _HASH.fullmatch(trimmed) else None


def phone_of(text: str) -> str | None:
    """The last nine digits of a telephone number, or a hash; None if the text is neither."""
    if len(text) >= _SHORTEST_HASH and _HASH.fullmatch(text.strip()):
        return text.strip().lower()
    digits = _NO_DIGIT.sub("", text)
    return digits[-_PHONE_DIGITS:] if len(digits) >= _FEWEST_DIGITS else None


def _without_accents(name: str) -> str:
    """`Teléfono` as `Telefono`."""
    return "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))


def _email(value: Any) -> str | None:
    return email_of(value) if isinstance(value, str) else None


def _phone(value: Any) -> str | None:
    if isinstance(value, str):
        return phone_of(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return phone_of(str(number(value)))
    return None
