"""One telephone number and one e-mail address in the forms in which they come, and whether a search knows them."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from urllib.parse import quote

EMAIL = "ada.l@example.com"
PHONE = "+44 7700 900471"


def line(**values: object) -> bytes:
    """A record's line."""
    return json.dumps({"type": "RECORD", "stream": "leads", "record": values}).encode()


def full_width(text: str) -> str:
    """In the signs of East Asia's typography."""
    return "".join(chr(ord(sign) + 0xFEE0) for sign in text)


def _note(text: str) -> bytes:
    return line(note=text)


def _raw(record: str) -> bytes:
    """A line as it stands, whatever a writer would have made of it."""
    return b'{"type":"RECORD","stream":"leads","record":' + record.encode() + b"}"


_nested = json.dumps({"payload": json.dumps({"inner": json.dumps({"e": EMAIL})})}).replace("@", "\\\\\\\\u0040")

EMAILS: dict[str, tuple[bytes, bool]] = {
    "as it is": (line(email=EMAIL), True),
    "in capitals": (line(email="ADA.L@Example.COM"), True),
    "between blanks": (line(email=f"  {EMAIL}\t"), True),
    "deep inside": (line(a=[{"b": ["x", EMAIL]}]), True),
    "a property's name": (line(**{EMAIL: 1}), True),
    "within a text": (_note(f"Write to <{EMAIL}>."), True),
    "at the end of a sentence": (_note(f"It is {EMAIL}."), True),
    "behind a line's break": (_note(f"Contact:\n{EMAIL}"), True),
    "behind a tab": (_note(f"Contact\t{EMAIL}"), True),
    "in front of a day": (_note(f"{EMAIL}-2026-01-31"), True),
    "in front of a number": (_note(f"{EMAIL}_2"), True),
    "a link": (_note(f"mailto:{EMAIL}?subject=x"), True),
    "JSON's escapes": (_raw('{"e":"\\u0061da.l\\u0040example.com"}'), True),
    "JSON's escapes in a name": (_raw('{"ada.l\\u0040example.com":1}'), True),
    "JSON in JSON": (line(payload=json.dumps({"e": EMAIL})), True),
    "JSON's escapes in JSON in JSON": (_raw(_nested), True),
    "a URL's escapes": (_note(f"https://example.org/?e={quote(EMAIL)}&x=1"), True),
    "a URL's escapes twice": (_note("https://example.org/?u=" + quote(quote(f"/?e={EMAIL}"))), True),
    "a URL's escapes behind a broken one": (_note("100%, %zz ada.l%40example.com"), True),
    "HTML's escapes": (_note("&lt;ada.l&#64;example.com&gt;"), True),
    "HTML's escapes by name and in hexadecimal": (_note("ada&period;l&#x40;example.com"), True),
    "the first of a doubled key": (_raw(f'{{"email":"{EMAIL}","email":null}}'), True),
    "the last of a doubled key": (_raw(f'{{"email":null,"email":"{EMAIL}"}}'), True),
    "full width": (_note(full_width("ada.l@example.com")), True),
    "signs that nobody sees": (_note("ada.l@exam\u00adple.\u200bcom"), True),
    "letters beyond the first plane": (_raw('{"e":"\\ud835\\udc1ada.l@example.com"}'), True),
    "its hash": (line(email=sha256(EMAIL.encode()).hexdigest()), True),
    "no JSON at all": (b'{"record":{"e":"' + EMAIL.encode() + b"\xff\xfe\\", True),
    "a longer local part": (line(email=f"not.{EMAIL}"), False),
    "a longer local part, escaped": (_note("not%2Eada.l@example.com"), False),
    "a longer domain": (line(email=f"{EMAIL}.example.com"), False),
    "another domain": (line(email=f"{EMAIL}-x.example.org"), False),
    "a dot means a dot": (line(email="ada-l@example.com"), False),
    "base64": (_note(b64encode(EMAIL.encode()).decode()), False),
    "quoted-printable": (_note("ada.l=40example.com"), False),
    "in words": (_note("ada.l at example dot com"), False),
    "in two properties": (line(local="ada.l", domain="example.com"), False),
    "a domain's other spelling": (line(email="ada.l@xn--exmple-cua.com"), False),
    "directly behind a word": (_note("lead_ada.l@example.com"), False),
}
"""By what the form is: a line, and whether it is found."""

PHONES: dict[str, tuple[bytes, bool]] = {
    "as it is": (line(phone=PHONE), True),
    "a number": (line(phone=447700900471), True),
    "a fraction": (_raw('{"phone":447700900471.0}'), True),
    "a fraction as a text": (line(phone="447700900471.0"), True),
    "an exponent": (_raw('{"phone":4.47700900471E+11}'), True),
    "an exponent with a comma": (line(phone="4,47700900471E+11"), True),
    "national": (line(phone="07700 900471"), True),
    "zeros for the plus": (line(phone="0044 7700 900471"), True),
    "a zero in brackets": (line(phone="+44 (0)7700 900471"), True),
    "groups": (line(phone="(07700) 900-471"), True),
    "groups of three": (line(phone="447,700,900,471"), True),
    "dots": (line(phone="+44.7700.900.471"), True),
    "slashes": (line(phone="07700/900471"), True),
    "other dashes and blanks": (line(phone="+44\u00a07700\u2011900\u2013471"), True),
    "wide gaps": (line(phone="07700 -  900471"), True),
    "the first of two": (_note("07700 900471 07700 900472"), True),
    "the last of two": (_note("07700 900472/07700 900471"), True),
    "within a text": (_note("Call 07700-900471 at 6."), True),
    "with an extension": (_note("07700900471x12"), True),
    "a link": (_note("tel:+447700900471;ext=5"), True),
    "a URL's escapes": (_note("?p=%2B44%207700%20900471"), True),
    "HTML's escapes": (_note("07700&nbsp;900471"), True),
    "JSON's escapes": (_raw('{"p":"0\\u0037700900471"}'), True),
    "JSON in JSON": (line(payload=json.dumps({"p": 447700900471})), True),
    "the first of a doubled key": (_raw('{"phone":"07700900471","phone":""}'), True),
    "a name": (line(**{"07700900471": True}), True),
    "other digits": (line(phone="\u0660\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0664\u0667\u0661"), True),
    "full width": (line(phone=full_width("07700900471")), True),
    "signs that nobody sees": (line(phone="\u202a07700\u200b900471\u202c"), True),
    "its hash": (line(phone=sha256(b"+447700900471").hexdigest()), True),
    "a longer number": (line(phone="07700 9004710"), False),
    "another number": (line(phone="07700 900472"), False),
    "the end alone": (line(phone="900471"), False),
    "in words": (_note("oh double seven hundred"), False),
    "in two properties": (line(prefix="07700", number="900471"), False),
    "a rounded exponent": (_raw('{"phone":4.477E+11}'), False),
}
