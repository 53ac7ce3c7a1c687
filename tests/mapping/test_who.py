"""Whom an event is about: which fields say it, and what of their values is compared."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from target_driftrock.events.event import Event, InvalidPart
from target_driftrock.events.identity import NOBODY, Who
from target_driftrock.mapping.who import EMAIL, PHONE, kind_of, names_somebody, who
from tests.mapping.examples import event, part

ADA = "ada@example.com"
ADAS_NUMBER = "+44 20 7946 0018"
ADAS_DIGITS = "079460018"
MD5, SHA1, SHA256 = "0123456789abcdef" * 2, "89abcdef" * 5, "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "name",
    [
        *("email", "Email", "EMAIL", "e-mail", "E-Mail", "e_mail", "eMail", "E Mail", "mail", "Mail", " email "),
        *("email_address", "Email Address", "emailAddress", "EmailAddress", "EMailAddress", "E-MAIL-ADDRESS"),
        *("E-Mail-Adresse", "Email-Adresse", "Emailadresse", "e-mail adresse", "adresse e-mail", "Adresse mail"),
        *("Courriel", "correo", "Correo electrónico", "correo_electronico", "Indirizzo e-mail", "e-post", "Epost"),
        *("emailadres", "work_email", "Personal E-Mail", "contact_email", "contact.email", "Kontakt E-Mail"),
        *("PersonEmail", "Email__c", "property_email", "properties.email", "primaryEmail", "Your email", "email_1"),
        *("hashed_email", "email_sha256", "SHA256 email", "email_md5", "E-Mail (privat)"),
    ],
)
def test_a_field_is_an_email_address_when_its_name_says_so_in_any_spelling(name: str) -> None:
    """Forms, CRMs and spreadsheets of several countries; capitals, dashes and underscores do not matter."""
    found = kind_of(name)

    assert found is not None
    assert found[0] == EMAIL
    assert who(None, {name: ADA}) == Who(email=ADA)


@pytest.mark.parametrize(
    "name",
    [
        *("phone", "Phone", "PHONE", "phone_number", "Phone Number", "phoneNumber", "PhoneNumber", "Phone No."),
        *("telephone", "Tel", "Tel.", "tel_no", "mobile", "Mobile", "MobilePhone", "mobile_phone", "Mobile number"),
        *("cell", "cellPhone", "cell_phone", "GSM", "msisdn", "Phone (mobile)", "phone_1", "Phone__c"),
        *("Telefon", "Telefonnummer", "Telefon-Nr.", "telefonnr", "Rufnummer", "Handy", "Handynummer", "Mobilnummer"),
        *("Mobil", "Mobiltelefon", "téléphone", "Numéro de téléphone", "portable"),
        *("Teléfono", "telefono", "móvil", "Móvil", "celular", "Cellulare", "Numero di telefono", "telefone"),
        *("telefoonnummer", "work_phone", "homePhone", "contact.phone", "customer_mobile", "phone_hash"),
    ],
)
def test_a_field_is_a_telephone_number_when_its_name_says_so_in_any_spelling(name: str) -> None:
    """As a person would read it; accents do not matter either."""
    found = kind_of(name)

    assert found is not None
    assert found[0] == PHONE
    assert who(None, {name: ADAS_NUMBER}) == Who(phone=ADAS_DIGITS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("email_opt_in", "yes", id="a consent"),
        pytest.param("email_opt_in", ADA, id="a consent, whatever it holds"),
        pytest.param("email_verified", ADA, id="a state of the address"),
        pytest.param("email_domain", ADA, id="a part of it"),
        pytest.param("owner_email", ADA, id="the owner in the CRM"),
        pytest.param("lead_owner_email", ADA, id="the owner of the lead"),
        pytest.param("sales_rep_email", ADA, id="somebody in sales"),
        pytest.param("created_by_email", ADA, id="who made the record"),
        pytest.param("referrer_email", ADA, id="who recommended it"),
        pytest.param("email_campaign", ADA, id="a campaign"),
        pytest.param("mailing_list", ADA, id="a list"),
        pytest.param("gmail", ADA, id="a word that ends so"),
        pytest.param("address", ADA, id="an address"),
        pytest.param("emails", ADA, id="several"),
        pytest.param("contact", ADA, id="a word that only goes along"),
        pytest.param("company_phone", ADAS_NUMBER, id="the company's"),
        pytest.param("phone_model", ADAS_NUMBER, id="a model"),
        pytest.param("mobile_app", ADAS_NUMBER, id="an app"),
        pytest.param("mobile_os", ADAS_NUMBER, id="a system"),
        pytest.param("telephone_consent", ADAS_NUMBER, id="a telephone's consent"),
        pytest.param("phonetics", ADAS_NUMBER, id="a word that begins so"),
        pytest.param("excel", ADAS_NUMBER, id="a word that ends so too"),
        pytest.param("hotel", ADAS_NUMBER, id="a hotel"),
        pytest.param("number", ADAS_NUMBER, id="a number of something"),
        pytest.param("fax", ADAS_NUMBER, id="a fax"),
        pytest.param("", ADA, id="no name"),
        pytest.param("_", ADA, id="no word"),
    ],
)
def test_a_field_names_nobody_when_its_name_only_resembles_one(name: str, value: str) -> None:
    """Who is held for a person's decision is safe; who is taken for another is lost."""
    assert not names_somebody([name])
    assert who(None, {name: value}) == NOBODY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("email", "yes", id="a yes for an address"),
        pytest.param("email", "n/a", id="no address"),
        pytest.param("email", "", id="an empty address"),
        pytest.param("email", " \u200b", id="a blank address"),
        pytest.param("email", None, id="a null address"),
        pytest.param("email", True, id="a boolean for an address"),
        pytest.param("email", 7, id="a number for an address"),
        pytest.param("email", [ADA], id="a list of addresses"),
        pytest.param("email", {"value": ADA}, id="an object"),
        pytest.param("email", MD5[:-1], id="one digit short of a hash"),
        pytest.param("email", "g" * 32, id="no hash"),
        pytest.param("phone", True, id="a boolean for a number"),
        pytest.param("mobile", False, id="no mobile"),
        pytest.param("phone", "yes", id="a yes for a number"),
        pytest.param("phone", "12345", id="five digits"),
        pytest.param("phone", 12345, id="a short number"),
        pytest.param("cell", "B7", id="a cell of a sheet"),
        pytest.param("phone", "", id="an empty number"),
        pytest.param("phone", None, id="a null number"),
        pytest.param("phone", Decimal("NaN"), id="NaN"),
        pytest.param("phone", Decimal("1e300"), id="a huge number"),
        pytest.param("phone", [ADAS_NUMBER], id="a list of numbers"),
    ],
)
def test_a_field_names_nobody_when_its_value_is_neither_address_nor_number(name: str, value: Any) -> None:
    """A column that is called so may hold anything."""
    assert names_somebody([name])
    assert who(None, {name: value}) == NOBODY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(ADA, f" {ADA}\t", id="white space around it"),
        pytest.param(ADA, "Ada@Example.COM", id="capitals"),
        pytest.param(MD5, MD5.upper(), id="an MD5"),
        pytest.param(SHA1, f" {SHA1}", id="a SHA-1"),
        pytest.param(SHA256, SHA256.upper(), id="a SHA-256"),
    ],
)
def test_it_is_the_same_person_when_an_address_is_spelled_otherwise(one: str, other: str) -> None:
    """People type capitals and spaces, and databases write hashes in both cases."""
    assert who(None, {"email": one}) == who(None, {"email": other}) != NOBODY


@pytest.mark.parametrize(
    "number",
    [
        *("+442079460018", "+44 20 7946 0018", "+44 (0)20 7946-0018", "0044 20 7946 0018", "020 7946 0018"),
        *("2079460018", "20.7946.0018", " 020/79460018 ", "tel:+44-20-7946-0018"),
        *(442079460018, Decimal("442079460018.0"), 442079460018.0),
    ],
    ids=repr,
)
def test_it_is_the_same_person_when_a_number_is_spelled_otherwise(number: Any) -> None:
    """With and without the country, with any punctuation, as a text and as a number: its last nine digits."""
    assert who(None, {"phone": number}) == Who(phone=ADAS_DIGITS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"email": ADA}, {"email": "bob@example.com"}, id="another address"),
        pytest.param({"email": "ada+1@example.com"}, {"email": ADA}, id="a tag within"),
        pytest.param({"email": ADA}, {"email": SHA256}, id="a hash"),
        pytest.param({"phone": "020 7946 0018"}, {"phone": "020 7946 0019"}, id="another number"),
        pytest.param({"phone": SHA256}, {"phone": SHA256[::-1]}, id="another hash of a number"),
    ],
)
def test_it_is_another_person_when_what_is_compared_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Nothing else of an address is taken to mean the same."""
    assert who(None, one) != who(None, other)


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        pytest.param({"work_email": "b@example.com", "email": ADA}, ADA, id="the plainest, though it comes later"),
        pytest.param({"email": ADA, "work_email": "b@example.com"}, ADA, id="the plainest, and it comes first"),
        pytest.param({"email": "", "work_email": ADA}, ADA, id="the next, where the plainest is blank"),
        pytest.param({"email": None, "work_email": ADA}, ADA, id="the next, where the plainest is null"),
        pytest.param({"work_email": ADA, "email": "yes"}, ADA, id="the next, where the plainest is no address"),
        pytest.param({"owner_email": "b@example.com", "email": ADA}, ADA, id="the person's own"),
        pytest.param(
            {"private_email": "b@example.com", "lead_email": ADA}, ADA, id="by the alphabet, where none is plainer"
        ),
    ],
)
def test_the_plainest_name_counts_when_several_fields_hold_an_address(fields: dict[str, Any], email: str) -> None:
    """The order of the columns, which a tap may change at any time, says nothing."""
    assert who(None, fields).email == who(None, dict(reversed(fields.items()))).email == email


@pytest.mark.parametrize(
    ("person_id", "fields", "expected"),
    [
        pytest.param(None, {}, NOBODY, id="nobody"),
        pytest.param("7", {}, Who(person="7"), id="an id"),
        pytest.param("7", {"email": ADA}, Who(person="7", email=ADA), id="an id and an address"),
        pytest.param(
            "7", {"email": ADA, "phone": ADAS_NUMBER}, Who("7", ADA, ADAS_DIGITS), id="all three, the strongest first"
        ),
        pytest.param(None, {"phone": ADAS_NUMBER, "city": "Ulm"}, Who(phone=ADAS_DIGITS), id="a number"),
    ],
)
def test_each_kind_is_named_when_the_event_has_it(person_id: str | None, fields: dict[str, Any], expected: Who) -> None:
    """A person is compared by the strongest kind that both events name, so each is kept apart."""
    assert who(person_id, fields) == expected


@pytest.mark.parametrize("show", [repr, str, pretty_repr, "{}".format, lambda value: f"{[value]}"])
def test_nothing_is_printed_when_a_person_is(show: Callable[[object], str]) -> None:
    """It is what must not be seen, in a log, a traceback or a debugger."""
    shown = show(who("CANARY-7", {"email": "CANARY@example.com", "phone": "0170 55501234"}))

    assert not [each for each in ("CANARY", "canary", "@", "5501234", "0170") if each in shown]


@given(name=st.text(), value=st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text())
def test_nothing_is_raised_when_names_and_values_are_anything(name: str, value: Any) -> None:
    """Whatever a tap has for a column; two readings agree."""
    assert who(None, {name: value}) == who(None, {name: value})
    assert names_somebody([name]) is (kind_of(name) is not None)


# Of records.


def test_an_event_is_about_whom_its_body_names_when_it_is_mapped() -> None:
    """By what is sent, under the names under which it is sent."""
    record = {"id": 1, "a": f" {ADA}", "b": 442079460018, "email": "other@example.com", "person": 7.0}

    made = event(record, person_id="{person}", fields={"E-Mail": "{a}", "Mobile": "{b}", "from": "{email}"})

    assert made.who == Who(person="7", email=ADA, phone=ADAS_DIGITS)


def test_an_event_is_about_whom_its_record_names_when_all_of_it_is_sent() -> None:
    """With `"*"` the columns' own names say it."""
    assert event({"id": 1, "Email": ADA, "owner_email": "b@example.com"}, fields="*").who == Who(email=ADA)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({"event_id": "{nothing}"}, Who(person="7", email=ADA), id="no event_id"),
        pytest.param({"event_type": "{nothing}"}, Who(person="7", email=ADA), id="no event_type"),
        pytest.param({"created_at": "{email}"}, Who(person="7", email=ADA), id="no time"),
        pytest.param({"metadata": "{email}"}, Who(person="7", email=ADA), id="no object"),
        pytest.param({"fields": {"Email": "{email}", "odd": "{nan}"}}, Who(person="7", email=ADA), id="unwritable"),
        pytest.param({"person_id": "{yes}"}, Who(email=ADA), id="a person that is none"),
        pytest.param({"source_id": "{nothing}", "person_id": None}, Who(email=ADA), id="nobody by id"),
        pytest.param({"source_id": "{nothing}", "person_id": None, "fields": {}}, NOBODY, id="nobody at all"),
    ],
)
def test_a_refusal_is_about_whom_the_event_would_have_been_when_that_can_be_read(
    attributes: dict[str, Any], expected: Who
) -> None:
    """Else a mended record could not take away the row of the one that was refused."""
    record = {"id": 1, "email": ADA, "person": 7, "yes": True, "nan": float("nan")}
    given_attributes = {"person_id": "{person}", "fields": {"Email": "{email}"}, **attributes}

    made = part(record, **given_attributes)

    assert isinstance(made, InvalidPart)
    assert made.who == expected


def test_the_same_record_is_about_the_same_person_when_it_is_refused_and_when_it_is_not() -> None:
    """A refusal and an event compare."""
    record = {"id": 1, "email": ADA, "at": "2026-01-31"}
    attributes: dict[str, Any] = {"fields": {"email": "{email}"}, "created_at": "{at}"}

    right, wrong = part(record, **attributes), part({**record, "at": "soon"}, **attributes)

    assert isinstance(right, Event)
    assert isinstance(wrong, InvalidPart)
    assert right.who == wrong.who == Who(email=ADA)
