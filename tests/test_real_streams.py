"""Streams as the taps of the field write them: what any other target loads is delivered, with a mapping that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.stage import Stage, state

pytestmark = pytest.mark.usefixtures("nothing_left")

TEXT, WHOLE, NUMBER, FLAG = ({"type": ["null", kind]} for kind in ("string", "integer", "number", "boolean"))
TIME: Mapping[str, Any] = {"type": ["null", "string"], "format": "date-time"}
ANYTHING: Mapping[str, Any] = {"type": ["null", "object"], "properties": {}}


def nested(**properties: Any) -> dict[str, Any]:
    """An object that may be null."""
    return {"type": ["null", "object"], "properties": properties}


def listed(items: Any) -> dict[str, Any]:
    """A list that may be null."""
    return {"type": ["null", "array"], "items": items}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """What a tap writes of one stream, a mapping for it, and what Driftrock gets."""

    stream: str
    keys: Sequence[str]
    schema: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    mapping: Mapping[str, Any]
    sent: Mapping[str, Any]
    """The fields by event_id, of every event."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    times: Sequence[str] = ()
    """The times of the events, where these have one."""
    with_version: bool = False
    """Its records bear a version and a time, and it activates the version."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Its lines, the last a STATE."""
        version = {"version": 1_772_323_200_000, "time_extracted": "2026-03-01T00:00:00.000000Z"}
        activate = {"type": "ACTIVATE_VERSION", "stream": self.stream, "version": version["version"]}
        head = {
            "type": "SCHEMA",
            "stream": self.stream,
            "schema": dict(self.schema),
            "key_properties": list(self.keys),
            "bookmark_properties": [],
        }
        rows = [
            {"type": "RECORD", "stream": self.stream, "record": record, **(version if self.with_version else {})}
            for record in self.records
        ]
        around = [activate] if self.with_version else []
        return [head, *around, *rows, *around, state(bookmarks={self.stream: {}})]


RECURSIVE: Mapping[str, Any] = {
    f"sdc_recursive_{kind}_array": {
        "type": ["null", kind, "array"],
        "items": {"$ref": f"#/definitions/sdc_recursive_{kind}_array"},
    }
    for kind in ("integer", "number", "string", "boolean", "object")
}
DRAFT_4_NUMERIC: Mapping[str, Any] = {
    "type": ["null", "number"],
    "exclusiveMaximum": True,
    "maximum": 10**10,
    "multipleOf": 0.01,
    "exclusiveMinimum": True,
    "minimum": -(10**10),
}
ANY_TIME: Mapping[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}

TAPS = {
    "a database by the SDK's tap": Tap(
        stream="public-leads",
        keys=["id"],
        schema={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": ["integer"], "minimum": -(2**63), "maximum": 2**63 - 1},
                "email": {"type": ["string", "null"]},
                "consent": {"type": ["boolean", "null"]},
                "tags": {"type": ["array", "null"], "items": {"type": ["string"]}},
                "payload": {"type": ["object", "array", "string", "number", "boolean", "null"]},
                "budget": {"type": ["number", "null"]},
                "created_at": {"type": ["string", "null"], "format": "date-time"},
            },
        },
        records=[
            {
                "id": 1,
                "email": "a@example.org",
                "consent": True,
                "tags": ["vip", None],
                "payload": {"utm": {"source": "ads"}},
                "budget": "12.50",  # a numeric, as some versions write it
                "created_at": "2026-03-01 08:00:00+00:00",
            },
            {"id": 2, "email": "b@example.org", "consent": False},
            {"id": 3, "email": "c@example.org", "consent": True, "created_at": "2026-03-02T08:00:00"},
        ],
        mapping={
            "when": {"consent": True},
            "fields": {"email": "{email}", "source": "{payload.utm.source}"},
            "created_at": "{created_at}",
        },
        sent={
            "public-leads:1": {"email": "a@example.org", "source": "ads"},
            "public-leads:3": {"email": "c@example.org"},
        },
        times=["2026-03-01T08:00:00.000Z", "2026-03-02T08:00:00.000Z"],
    ),
    "a database's log by the older tap": Tap(
        stream="public-orders",
        keys=["id"],
        with_version=True,
        schema={
            "type": "object",
            "definitions": RECURSIVE,
            "properties": {
                "id": {"type": ["integer"], "minimum": -2147483648, "maximum": 2147483647},
                "customer_email": TEXT,
                "total": DRAFT_4_NUMERIC,
                "items": listed({"$ref": "#/definitions/sdc_recursive_string_array"}),
                "matrix": listed({"$ref": "#/definitions/sdc_recursive_integer_array"}),
                "blob": {},
                "meta": {"type": ["null", "object", "array"]},
                "paid_at": TIME,
                "_sdc_deleted_at": TIME,
                "_sdc_lsn": WHOLE,
            },
        },
        records=[
            {
                "id": 1,
                "customer_email": "a@example.org",
                "total": 19.99,
                "items": ["x", None, ["y"]],
                "matrix": [[1, 2], [None]],
                "meta": [1],
                "paid_at": "2026-03-01T10:00:00+02:00",
                "_sdc_lsn": 21,
            },
            {"id": 2, "_sdc_deleted_at": "2026-03-01T08:00:00Z", "_sdc_lsn": 22},
            {"id": 3, "customer_email": "b@example.org", "total": 10**10, "paid_at": None, "_sdc_deleted_at": None},
        ],
        mapping={
            "event_type": "conversion",
            "fields": {"email": "{customer_email}", "items": "{items}"},
            "created_at": "{paid_at}",
        },
        sent={
            "public-orders:1": {"email": "a@example.org", "items": ["x", None, ["y"]]},
            "public-orders:3": {"email": "b@example.org"},
        },
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "a shop's database": Tap(
        stream="shop-customers",
        keys=["id"],
        with_version=True,
        schema={
            "type": "object",
            "properties": {
                "id": {"inclusion": "automatic", "type": ["null", "integer"], "minimum": 0, "maximum": 4294967295},
                "email": {"inclusion": "available", "maxLength": 255, "type": ["null", "string"]},
                "newsletter": {"inclusion": "available", "type": ["null", "integer"], "minimum": -128, "maximum": 127},
                "revenue": {"inclusion": "available", "multipleOf": 0.01, "type": ["null", "number"]},
                "photo": {"inclusion": "available", "type": ["null", "string"], "format": "binary"},
                "born": {"inclusion": "available", "type": ["null", "string"], "format": "date-time"},
                "note": {"inclusion": "available", "maxLength": 10, "type": ["null", "string"]},
            },
        },
        records=[
            {"id": 1, "email": "a@example.org", "newsletter": 1, "revenue": 19.9, "born": "0000-00-00 00:00:00"},
            {"id": 2, "email": "b@example.org", "newsletter": 0, "revenue": None},
            {"id": 3, "email": "c@example.org", "newsletter": 1, "revenue": 0, "note": "longer than its column"},
        ],
        mapping={"when": {"newsletter": 1}, "fields": {"email": "{email}", "revenue": "{revenue}"}},
        sent={
            "shop-customers:1": {"email": "a@example.org", "revenue": Decimal("19.9")},
            "shop-customers:3": {"email": "c@example.org", "revenue": 0},
        },
    ),
    "a crm's leads": Tap(
        stream="Lead",
        keys=["Id"],
        with_version=True,
        schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "Id": {"type": "string"},
                "IsDeleted": {"type": "boolean"},
                "Email": TEXT,
                "LastName": {"type": "string"},
                "Status": TEXT,
                "Score__c": {},
                "AnnualRevenue": NUMBER,
                "Address": nested(
                    street=TEXT,
                    city=TEXT,
                    longitude={"type": ["null", "number"], "multipleOf": 0.000001},
                    geocodeAccuracy=TEXT,
                ),
                "CreatedDate": ANY_TIME,
                "SystemModstamp": {"type": "string", "format": "date-time"},
            },
        },
        records=[
            {
                "Id": "00Q1",
                "IsDeleted": False,
                "Email": "a@example.org",
                "LastName": "A",
                "Status": "Open",
                "Score__c": "77",
                "Address": {"city": "Ulm", "longitude": 9.98765432},
                "CreatedDate": "2026-03-01T08:00:00.000+0000",
                "SystemModstamp": "2026-03-01T08:00:00.000000Z",
            },
            {"Id": "00Q2", "IsDeleted": True, "Email": None, "LastName": "B", "CreatedDate": None},
            {"Id": "00Q3", "Email": "c@example.org", "IsDeleted": False, "Score__c": 12, "Status": None},
        ],
        mapping={
            "when": {"IsDeleted": False},
            "fields": {"email": "{Email}", "status": "{Status}", "score": "{Score__c}"},
            "created_at": "{CreatedDate}",
        },
        sent={
            "Lead:00Q1": {"email": "a@example.org", "status": "Open", "score": "77"},
            "Lead:00Q3": {"email": "c@example.org", "score": 12},
        },
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "a marketing suite's contacts": Tap(
        stream="contacts",
        keys=["vid"],
        schema={
            "type": "object",
            "properties": {
                "vid": WHOLE,
                "canonical-vid": WHOLE,
                "merged-vids": {"type": ["null", "object"], "items": WHOLE},  # it writes lists
                "is-contact": FLAG,
                "associated-company": ANYTHING,
                "identity-profiles": {"type": ["null", "object"], "items": nested(vid=WHOLE)},
                "property_email": nested(value=TEXT, timestamp=TIME, source=TEXT),
                "property_createdate": nested(value=TIME, timestamp=TIME),
                "property_hs_score": nested(value=NUMBER),
            },
        },
        records=[
            {
                "vid": 101,
                "canonical-vid": 101,
                "merged-vids": [7, 8],
                "is-contact": True,
                "associated-company": {"company-id": 5},
                "identity-profiles": [{"vid": 101, "identities": []}],
                "property_email": {"value": "a@example.org", "source": "FORM"},
                "property_createdate": {"value": "2026-03-01T08:00:00.123000Z"},
                "property_hs_score": {"value": "12,5"},
            },
            {"vid": 102, "merged-vids": [], "property_email": {"value": ""}, "property_createdate": None},
        ],
        mapping={
            "fields": {"email": "{property_email.value}", "contact": "{is-contact}"},
            "created_at": "{property_createdate.value}",
        },
        sent={"contacts:101": {"email": "a@example.org", "contact": True}, "contacts:102": {}},
        times=["2026-03-01T08:00:00.123Z"],
    ),
    "a sheet": Tap(
        stream="Leads 2026",
        keys=["__sdc_row"],
        with_version=True,
        schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "__sdc_spreadsheet_id": TEXT,
                "__sdc_sheet_id": WHOLE,
                "__sdc_row": WHOLE,
                "__sdc_skip_col_01": TEXT,
                "E-Mail": TEXT,
                "Budget": {"anyOf": [{"type": ["null", "number"], "multipleOf": 1e-15}, TEXT]},
                "Received": {"anyOf": [TIME, TEXT]},
                "Consent": {"anyOf": [FLAG, TEXT]},
            },
        },
        records=[
            {
                "__sdc_spreadsheet_id": "s",
                "__sdc_sheet_id": 0,
                "__sdc_row": 2,
                "E-Mail": "a@example.org",
                "Budget": 1000.1,
                "Received": "2026-03-01T08:00:00.000000Z",
                "Consent": True,
            },
            {"__sdc_row": 3, "E-Mail": "b@example.org", "Budget": "n/a", "Received": "1.3.2026", "Consent": "nein"},
            {"__sdc_row": "4", "E-Mail": "c@example.org", "Budget": "", "Received": None, "Consent": True},
        ],
        mapping={
            "when": {"Consent": True},
            "event_id": "{E-Mail}",
            "fields": {"email": "{E-Mail}", "budget": "{Budget}"},
            "created_at": "{Received}",
        },
        sent={
            "a@example.org": {"email": "a@example.org", "budget": Decimal("1000.1")},
            "c@example.org": {"email": "c@example.org"},
        },
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "a file": Tap(
        stream="leads",
        keys=["Lead ID"],
        schema={
            "type": "object",
            "properties": {
                **dict.fromkeys(("Lead ID", "First Name", "E-Mail", "Phone", "Submitted", "utm.source"), TEXT),
                "_sdc_source_file": TEXT,
                "_sdc_source_file_mtime": TIME,
                "_sdc_source_lineno": WHOLE,
            },
        },
        records=[
            {
                "Lead ID": "L-1",
                "First Name": "Ada",
                "E-Mail": "a@example.org",
                "Phone": "",
                "Submitted": "1773230400",
                "utm.source": "ads",
                "_sdc_source_file": "in.csv",
                "_sdc_source_lineno": "2",
            },
            {"Lead ID": "L-2", "First Name": " ", "E-Mail": "b@example.org", "Phone": "030", "Submitted": ""},
        ],
        mapping={"fields": "*", "event_name": "File", "created_at": "{Submitted}"},
        sent={
            "leads:L-1": {
                "Lead ID": "L-1",
                "First Name": "Ada",
                "E-Mail": "a@example.org",
                "Submitted": "1773230400",
                "utm.source": "ads",
            },
            "leads:L-2": {"Lead ID": "L-2", "E-Mail": "b@example.org", "Phone": "030"},
        },
        times=["2026-03-11T12:00:00.000Z"],
    ),
    "a payment provider's customers": Tap(
        stream="customers",
        keys=["id"],
        schema={
            "type": ["null", "object"],
            "properties": {
                "id": TEXT,
                "email": TEXT,
                "created": TIME,
                "metadata": ANYTHING,
                "shipping": nested(address=nested(city=TEXT, line1=TEXT), phone=TEXT),
                "sources": {
                    "anyOf": [
                        listed({"$ref": "shared/source.json#/"}),
                        {"type": ["null", "object"], "properties": {"$ref": "shared/source.json#/"}},
                        nested(data={"$ref": "shared/source.json#/"}, has_more=FLAG),
                    ]
                },
                "discount": {"$ref": "shared/discount.json#/"},
                "subscriptions": listed(TEXT),
                "tax_info": TEXT,
                "delinquent": FLAG,
            },
        },
        records=[
            {
                "id": "cus_1",
                "email": "a@example.org",
                "created": "2026-03-01T08:00:00.000000Z",
                "metadata": {"plan": "pro", "seats": "3"},
                "shipping": {"address": {"city": "Ulm"}, "phone": "030"},
                "sources": [{"id": "card_1", "exp_year": 2030}],
                "discount": {"coupon": {"id": "c"}},
                "subscriptions": [{"id": "sub_1"}],  # expanded, though listed as texts
                "tax_info": {"type": "vat"},
                "delinquent": False,
            },
            {
                "id": "cus_2",
                "email": None,
                "created": "2026-03-02T08:00:00Z",
                "shipping": None,
                "sources": {"data": []},
            },
        ],
        mapping={
            "event_type": "conversion",
            "fields": {"email": "{email}", "plan": "{metadata.plan}", "city": "{shipping.address.city}"},
            "created_at": "{created}",
        },
        sent={"customers:cus_1": {"email": "a@example.org", "plan": "pro", "city": "Ulm"}, "customers:cus_2": {}},
        times=["2026-03-01T08:00:00.000Z", "2026-03-02T08:00:00.000Z"],
    ),
    "a shop's orders": Tap(
        stream="orders",
        keys=["id"],
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "line_items", "updated_at"],
            "properties": {
                "id": {"type": ["null", "integer"]},
                "email": TEXT,
                "total_price": {"type": ["null", "number"], "multipleOf": 1e-10},
                "customer": nested(id=WHOLE, email=TEXT, tags=TEXT, default_address=nested(city=TEXT)),
                "line_items": listed(nested(title=TEXT, price={"type": ["null", "number"], "multipleOf": 0.01})),
                "note_attributes": listed(nested(name=TEXT, value=TEXT)),
                "buyer_accepts_marketing": FLAG,
                "cancelled_at": TIME,
                "created_at": TIME,
                "updated_at": {"type": "string", "format": "date-time"},
            },
        },
        records=[
            {
                "id": 450789469,
                "email": "a@example.org",
                "total_price": 409.94,
                "customer": {"id": 7, "tags": ["vip"], "default_address": None},
                "line_items": [{"title": "Book", "price": 199.999}, None],
                "note_attributes": [{"name": "gclid", "value": 12}],
                "buyer_accepts_marketing": True,
                "cancelled_at": None,
                "created_at": "2026-03-01T03:00:00-05:00",
            },
            {"id": 450789470, "email": "b@example.org", "total_price": 0, "created_at": "2026-03-02T08:00:00Z"},
        ],
        mapping={
            "when": {"cancelled_at": None},
            "event_type": "conversion",
            "fields": {"email": "{email}", "value": "{total_price}", "marketing": "{buyer_accepts_marketing}"},
            "created_at": "{created_at}",
        },
        sent={
            "orders:450789469": {"email": "a@example.org", "value": Decimal("409.94"), "marketing": True},
            "orders:450789470": {"email": "b@example.org", "value": 0},
        },
        times=["2026-03-01T08:00:00.000Z", "2026-03-02T08:00:00.000Z"],
    ),
    "a social network's lead ads": Tap(
        stream="leads",
        keys=["id"],
        schema={
            "type": ["null", "object"],
            "properties": {
                "id": {"type": "string"},
                "ad_id": TEXT,
                "form_id": TEXT,
                "is_organic": FLAG,
                "created_time": TIME,
                "field_data": listed(nested(name=TEXT, values=listed(TEXT))),
                "custom_disclaimer_responses": listed(nested(checkbox_key=TEXT, is_checked={"type": "boolean"})),
            },
        },
        records=[
            {
                "id": "1001",
                "ad_id": "9",
                "form_id": "5",
                "is_organic": False,
                "created_time": "2026-03-01T08:00:00+0000",
                "field_data": [
                    {"name": "email", "values": ["a@example.org"]},
                    {"name": "full_name", "values": ["Ada", None]},
                ],
                "custom_disclaimer_responses": [{"checkbox_key": "c", "is_checked": "1"}],
            },
            {"id": "1002", "created_time": "2026-03-02T08:00:00+0000", "field_data": [{"name": "email", "values": []}]},
        ],
        mapping={
            "fields": {"email": "{field_data.0.values.0}", "form": "{form_id}"},
            "created_at": "{created_time}",
            "source_id": "lead-ads",
        },
        sent={"leads:1001": {"email": "a@example.org", "form": "5"}, "leads:1002": {}},
        times=["2026-03-01T08:00:00.000Z", "2026-03-02T08:00:00.000Z"],
    ),
    "a code host's stargazers": Tap(
        stream="stargazers",
        keys=["user_id", "repo", "org"],
        schema={
            "type": "object",
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "required": ["user_id"],
            "properties": {
                "repo": {"type": ["string", "null"], "title": "The repository"},
                "org": {"type": ["string", "null"]},
                "user_id": {"type": ["integer"]},
                "starred_at": {"type": ["string", "null"], "format": "date-time"},
                "user": {
                    "type": ["object", "null"],
                    "properties": {"login": {"type": ["string", "null"]}, "site_admin": {"type": ["boolean", "null"]}},
                },
            },
        },
        records=[
            {
                "repo": "r",
                "org": "o",
                "user_id": 7,
                "starred_at": "2026-03-01T08:00:00Z",
                "user": {"login": "ada", "plan": {}},
            },
            {"repo": "r", "user_id": 8, "starred_at": None, "user": {"login": "bob", "site_admin": None}},
        ],
        mapping={"event_type": "action", "fields": {"login": "{user.login}"}, "created_at": "{starred_at}"},
        sent={"stargazers:o:r:7": {"login": "ada"}, "stargazers::r:8": {"login": "bob"}},
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "documents without a schema": Tap(
        stream="app-signups",
        keys=["_id"],
        with_version=True,
        schema={"type": "object"},
        records=[
            {"_id": "65f0", "email": "a@example.org", "at": 1773230400123, "tags": ["a", 1, {"b": None}], "n": 1.5},
            {"_id": "65f1", "email": "b@example.org", "profile": {"name": {"first": "Bob"}}, "at": None},
            {"_id": "65f2", "_sdc_deleted_at": "2026-03-01T08:00:00Z"},
        ],
        mapping={
            "fields": {"email": "{email}", "first": "{profile.name.first}", "tags": "{tags}"},
            "created_at": "{at}",
        },
        sent={
            "app-signups:65f0": {"email": "a@example.org", "tags": ["a", 1, {"b": None}]},
            "app-signups:65f1": {"email": "b@example.org", "first": "Bob"},
        },
        times=["2026-03-11T12:00:00.123Z"],
    ),
    "a help desk's users": Tap(
        stream="users",
        keys=["id"],
        schema={
            "type": ["null", "object"],
            "properties": {
                "id": WHOLE,
                "email": TEXT,
                "role": {"type": ["null", "string"], "enum": ["end-user", "agent", "admin", None]},
                "tags": listed(TEXT),
                "user_fields": {"type": ["null", "object"], "properties": {}, "additionalProperties": True},
                "photo": nested(thumbnails=listed(nested(id=WHOLE, width=WHOLE)), inline=FLAG),
                "custom_role_id": {"type": ["null"]},
                "created_at": TIME,
            },
        },
        records=[
            {
                "id": 35436,
                "email": "a@example.org",
                "role": "end-user",
                "tags": ["vip", None],
                "user_fields": {"plan": "pro", "seats": 3.0},
                "photo": {"thumbnails": [{"id": "x"}]},
                "custom_role_id": 5,
                "created_at": "2026-03-01T08:00:00Z",
            },
            {"id": 35437, "email": "b@example.org", "role": "agent", "user_fields": None},
        ],
        mapping={
            "when": {"role": ["end-user", None]},
            "fields": {"email": "{email}", "plan": "{user_fields.plan}"},
            "created_at": "{created_at}",
        },
        sent={"users:35436": {"email": "a@example.org", "plan": "pro"}},
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "an analytics report": Tap(
        stream="traffic",
        keys=["date", "sessionSource", "property_id"],
        schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "property_id": {"type": "string"},
                "date": {"type": ["string", "null"], "format": "date-time"},
                "sessionSource": {"type": ["string", "null"]},
                "conversions": {"type": ["number", "null"]},
                "report_start_date": {"type": ["string", "null"]},
            },
        },
        records=[
            {"property_id": "p", "date": "20260301", "sessionSource": "(direct)", "conversions": 3.0},
            {"property_id": "p", "date": "20260302", "sessionSource": "ads:a", "conversions": "4"},
        ],
        mapping={
            "event_type": "action",
            "fields": {"source": "{sessionSource}"},
            "created_at": "{date}",
            "on_changed": "send",
        },
        sent={
            "traffic:20260301:p:(direct)": {"source": "(direct)"},
            "traffic:20260302:p:ads%3Aa": {"source": "ads:a"},
        },
        times=["2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"],
    ),
    "a warehouse in capitals": Tap(
        stream="ANALYTICS-PUBLIC-LEADS",
        keys=[],
        schema={
            "type": "object",
            "properties": {
                "ID": {"type": ["number", "null"]},
                "EMAIL": {"type": ["string", "null"]},
                "SCORE": {"type": ["number", "null"]},
                "_SDC_EXTRACTED_AT": {"type": ["string", "null"], "format": "date-time"},
                "_SDC_DELETED_AT": {"type": ["string", "null"], "format": "date-time"},
                "_SDC_TABLE_VERSION": {"type": ["number", "null"]},
            },
            "additionalProperties": False,
        },
        records=[
            {
                "ID": 1.0,
                "EMAIL": "a@example.org",
                "SCORE": "0.75",
                "_SDC_EXTRACTED_AT": "2026-03-01 08:00:00.123",
                "_SDC_TABLE_VERSION": "1",
            },
            {"ID": 2.0, "EMAIL": "b@example.org", "_SDC_EXTRACTED_AT": None, "_SDC_DELETED_AT": "2026-03-01"},
        ],
        mapping={
            "event_id": "lead-{ID}",
            "fields": {"email": "{EMAIL}"},
            "created_at": "{_SDC_EXTRACTED_AT}",
        },
        sent={"lead-1": {"email": "a@example.org"}},
        times=["2026-03-01T08:00:00.123Z"],
    ),
    "a deal pipeline with hashed columns": Tap(
        stream="deals",
        keys=["id"],
        schema={
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "status": {"type": ["null", "string"], "enum": ["open", "won", "lost", "deleted", None]},
                "value": {"type": ["null", "number", "string"]},
                "person_id": {"type": ["null", "object", "integer"]},
                "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e": {},
                "won_time": {"type": ["null", "string"]},
            },
        },
        records=[
            {
                "id": 1,
                "status": "won",
                "value": "1200.50",
                "person_id": {"email": [{"value": "a@example.org", "primary": True}]},
                "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e": ["x", 1],
                "won_time": "2026-03-01 08:00:00",
            },
            {"id": 2, "status": None, "value": None},
        ],
        mapping={
            "when": {"status": "won"},
            "event_type": "conversion",
            "event_id": "{id}:{status}",
            "fields": {"email": "{person_id.email.0.value}", "value": "{value}"},
            "created_at": "{won_time}",
        },
        sent={"1:won": {"email": "a@example.org", "value": "1200.50"}},
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "a chat's contacts in seconds": Tap(
        stream="contacts",
        keys=["id"],
        schema={
            "type": ["null", "object"],
            "additionalProperties": False,
            "properties": {
                "id": TEXT,
                "email": TEXT,
                "created_at": {"anyOf": [{"type": "null"}, {"type": "integer"}, {"type": "string"}]},
                "custom_attributes": {"anyOf": [{"type": "object"}, {"type": "array"}, {"type": "null"}]},
                "unsubscribed_from_emails": FLAG,
                "location": nested(country=TEXT),
            },
        },
        records=[
            {
                "id": "5ba6",
                "email": "a@example.org",
                "created_at": 1773230400,
                "custom_attributes": {"paid": True},
                "unsubscribed_from_emails": False,
                "location": {"country": None, "extra": 1},
                "_links": {"self": "https://api.example.com/contacts/5ba6"},
            },
            {"id": "5ba7", "email": "b@example.org", "created_at": "1773230401", "unsubscribed_from_emails": None},
        ],
        mapping={
            "when": {"unsubscribed_from_emails": [False, None]},
            "fields": {"email": "{email}", "paid": "{custom_attributes.paid}"},
            "created_at": "{created_at}",
        },
        sent={"contacts:5ba6": {"email": "a@example.org", "paid": True}, "contacts:5ba7": {"email": "b@example.org"}},
        times=["2026-03-11T12:00:00.000Z", "2026-03-11T12:00:01.000Z"],
    ),
    "a form's answers, flattened": Tap(
        stream="responses",
        keys=["landing_id"],
        schema={
            "type": ["null", "object"],
            "additionalProperties": False,
            "required": ["landing_id", "hidden", "answers"],
            "properties": {
                "landing_id": {"type": "string"},
                "submitted_at": TIME,
                "hidden": {**nested(utm_source=TEXT, gclid=TEXT), "required": ["utm_source"]},
                "calculated": nested(score=WHOLE),
                "answers": listed(nested(type=TEXT, email=TEXT, number=WHOLE)),
            },
        },
        records=[
            {
                "landing_id": "f1",
                "submitted_at": "2026-03-01T08:00:00Z",
                "hidden": {"utm_source": "ads", "gclid": ""},
                "calculated": {"score": "9"},
                "answers": [{"type": "email", "email": "a@example.org"}],
            },
            {"landing_id": "f2", "hidden": {"utm_source": None}, "answers": [], "calculated": None},
        ],
        mapping={
            "fields": {"source": "{hidden__utm_source}", "click": "{hidden__gclid}", "email": "{email}"},
            "created_at": "{submitted_at}",
        },
        settings={
            "flattening_enabled": True,
            "flattening_max_depth": 2,
            "stream_maps": {"responses": {"email": "answers[0]['email'] if answers else None"}},
        },
        sent={"responses:f1": {"source": "ads", "email": "a@example.org"}, "responses:f2": {}},
        times=["2026-03-01T08:00:00.000Z"],
    ),
    "a newsletter's members, hashed by a map": Tap(
        stream="list_members",
        keys=["id", "list_id"],
        schema={
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "list_id": {"type": "string"},
                "email_address": TEXT,
                "status": {"type": "string"},
                "merge_fields": {"type": ["null", "object"], "additionalProperties": {"type": "string"}},
                "stats": nested(avg_open_rate={"type": "number", "minimum": 0, "maximum": 1}),
                "timestamp_opt": {"type": "string", "format": "date-time"},
            },
        },
        records=[
            {
                "id": "m1",
                "list_id": "l",
                "email_address": "A@example.org",
                "status": "subscribed",
                "merge_fields": {"FNAME": "Ada", "AGE": 36},
                "stats": {"avg_open_rate": 1.2},
                "timestamp_opt": "2026-03-01T08:00:00+00:00",
            },
            {"id": "m2", "list_id": "l", "status": "subscribed", "timestamp_opt": "2026-03-02T08:00:00+00:00"},
            {"id": "m3", "list_id": "l", "email_address": "c@example.org", "status": "unsubscribed"},
        ],
        mapping={
            "fields": {"email_hash": "{email_hash}", "is_new": "{is_new}"},
            "created_at": "{timestamp_opt}",
        },
        settings={
            "stream_maps": {
                "list_members": {
                    "__filter__": "status == 'subscribed'",
                    "email_hash": "md5(email_address.lower()) if email_address else None",
                    "is_new": "status == 'subscribed'",
                    "email_address": None,
                }
            }
        },
        sent={
            "list_members:m1:l": {"email_hash": "22c2268861a8547b97a84c1c112b9525", "is_new": True},
            "list_members:m2:l": {"is_new": True},
        },
        times=["2026-03-01T08:00:00.000Z", "2026-03-02T08:00:00.000Z"],
    ),
    "a billing database's bits and bytes": Tap(
        stream="dbo-invoices",
        keys=["invoice_id"],
        with_version=True,
        schema={
            "type": "object",
            "properties": {
                "invoice_id": {"type": ["integer", "null"], "minimum": -2147483648, "maximum": 2147483647},
                "is_paid": {"type": ["boolean", "null"]},
                "amount": {
                    "type": ["number", "null"],
                    "multipleOf": 1e-4,
                    "minimum": -922337203685477.5808,
                    "maximum": 922337203685477.5807,
                },
                "row_version": {"type": ["string", "null"], "maxLength": 8},
                "contact": {"type": ["string", "null"], "maxLength": 255},
                "paid_on": {"type": ["string", "null"], "format": "date"},
            },
        },
        records=[
            {
                "invoice_id": 1,
                "is_paid": True,
                "amount": 10.12345,
                "row_version": "00000000000007d1",
                "contact": "a@example.org",
                "paid_on": "2026-03-01",
            },
            {"invoice_id": 2, "is_paid": None, "amount": None, "row_version": None},
        ],
        mapping={
            "when": {"is_paid": True},
            "event_type": "conversion",
            "fields": {"email": "{contact}"},
            "created_at": "{paid_on}",
        },
        sent={"dbo-invoices:1": {"email": "a@example.org"}},
        times=["2026-03-01T00:00:00.000Z"],
    ),
    "a columnar warehouse's nested rows": Tap(
        stream="analytics-events",
        keys=["event_id"],
        schema={
            "type": "object",
            "properties": {
                "event_id": {"type": ["null", "string"]},
                "amount": {"type": ["null", "string"], "format": "singer.decimal"},
                "params": listed(nested(key=TEXT, value=nested(string_value=TEXT, int_value=WHOLE))),
                "user": nested(email=TEXT, ids={"type": "array", "items": {"type": "string"}}),
                "seen": {"type": ["null", "string"], "format": "date-time"},
            },
        },
        records=[
            {
                "event_id": "e1",
                "amount": "12345678901234567890.10",
                "params": [{"key": "page", "value": {"int_value": "7"}}],
                "user": {"email": "a@example.org", "ids": ["1"]},
                "seen": "2026-03-01T08:00:00.123456+00:00",
            },
            {"event_id": "e2", "amount": 5, "params": None, "user": None},
        ],
        mapping={"fields": {"email": "{user.email}"}, "created_at": "{seen}"},
        sent={"analytics-events:e1": {"email": "a@example.org"}, "analytics-events:e2": {}},
        times=["2026-03-01T08:00:00.123Z"],
    ),
    "an event tracker without types": Tap(
        stream="events",
        keys=["distinct_id", "time"],
        schema={
            "properties": {name: {} for name in ("event", "distinct_id", "time", "mp_reserved_city", "email")},
            "additionalProperties": True,
        },
        records=[
            {"event": "Signed up", "distinct_id": "u1", "time": 1773230400, "email": "a@example.org", "$os": "Linux"},
            {"event": "Seen", "distinct_id": "u2", "time": 1773230401},
        ],
        mapping={
            "when": {"event": "Signed up"},
            "event_name": "{event}",
            "person_id": "{distinct_id}",
            "fields": {"email": "{email}", "system": "{$os}"},
            "created_at": "{time}",
        },
        sent={"events:u1:1773230400": {"email": "a@example.org", "system": "Linux"}},
        times=["2026-03-11T12:00:00.000Z"],
    ),
}
DEFAULTS: Mapping[str, Any] = {"event_type": "lead", "source_id": "capture-1"}


@pytest.mark.parametrize("tap", [pytest.param(tap, id=name.replace(" ", "-")) for name, tap in TAPS.items()])
def test_its_leads_are_delivered_when_a_tap_writes_as_it_does(tap: Tap, stage: Stage) -> None:
    """Nothing is kept, nothing of it is missing, and STATE passes."""
    mapping = {"stream": tap.stream, **DEFAULTS, **tap.mapping}

    done = stage.run(*tap.messages, streams=[mapping], **tap.settings)

    assert done.code == ExitCode.RESOLVED, done.log
    assert not stage.kept()
    assert {event["event_id"]: event["fields"] for event in done.events} == tap.sent
    assert sorted(event["created_at"] for event in done.events if "created_at" in event) == sorted(tap.times)
    assert len(done.states) == 1
