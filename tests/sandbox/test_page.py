"""The sandbox's pages: what arrived, one event in full, a filter over all of it, and a browser that keeps its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from target_driftrock.sandbox.page import SHOWN
from tests.browser import BROAD, NARROW, Browser, browsing
from tests.sandbox.wire import AFFILIATE, AFFILIATE_LEAD, EVENT_HEADERS, LEAD, WEBHOOK, Wire
from tests.stage import wired
from tests.waiting import until

EVERY = {
    **LEAD,
    "event_id": "leads:42",
    "person_id": "c-42",
    "ga_client_id": "1.2",
    "created_at": "2026-03-04T05:06:07.000Z",
    "metadata": {"campaign": "spring"},
}
"""A lead with every attribute of a webhook event."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real Chromium."""
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def numbers(browser: Browser) -> list[int]:
    """Which events are listed, from above."""
    found: list[str] = browser.run("return [...document.querySelectorAll('article')].map(each => each.dataset.number)")
    return list(map(int, found))


def shown(wire: Wire, path: str) -> str:
    """A page as it is served."""
    return wire.send("GET", path, {}).body.decode()


def test_all_attributes_are_shown_when_an_event_arrived(wire: Wire) -> None:
    """Those of both endpoints, and what is none."""
    wire.event(EVERY)
    wire.event(AFFILIATE_LEAD, path=AFFILIATE)
    wire.event({**LEAD, "unheard_of": "of"})

    text = shown(wire, "/")

    for name, value in {**EVERY, **AFFILIATE_LEAD, "unheard_of": "of"}.items():
        assert f"<dt>{name}</dt>" in text
        assert not isinstance(value, str) or f"<dd>{value}</dd>" in text


@pytest.mark.parametrize(
    ("event", "headers", "reason"),
    [
        pytest.param({**LEAD, "event_type": "none"}, {}, "event_type must be lead, conversion or action.", id="422"),
        pytest.param(LEAD, {"authorization": "Bearer unknown"}, "Invalid credentials", id="401"),
        pytest.param(LEAD, {"accept": "text/html"}, "Accept must name application/json.", id="406"),
    ],
)
def test_the_reason_is_told_when_an_event_was_refused(
    wire: Wire, event: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    """In the list, in full, and by the control."""
    wire.event(event, **headers)

    assert f"<strong>{reason}</strong>" in shown(wire, "/")
    assert f"<strong>{reason}</strong>" in shown(wire, "/_sandbox/event?number=1")
    assert wire.arrivals()[0]["reason"] == reason


@pytest.mark.parametrize(
    ("header", "value", "told"),
    [
        pytest.param("authorization", "Bearer sandbox", "Bearer ••• (7 characters)", id="a token"),
        pytest.param("authorization", "Basic YTpiY2Q=", "Basic ••• (8 characters)", id="a pair"),
        pytest.param("authorization", "verysecret", "••• (10 characters)", id="a secret alone"),
        pytest.param("authorization", "verysecret and more", "••• (19 characters)", id="another scheme"),
        pytest.param("proxy_authorization", "Basic YTpiY2Q=", "Basic ••• (8 characters)", id="a proxy's"),
        pytest.param("cookie", "session=verysecret", "••• (18 characters)", id="a cookie"),
        pytest.param("x_other", "plain", "plain", id="any other"),
    ],
)
def test_what_lets_somebody_in_is_masked_when_an_event_is_shown_in_full(
    wire: Wire, header: str, value: str, told: str
) -> None:
    """The rest of it is there as it came."""
    wire.event({**LEAD, "fields": {"value": 1}}, **{header: value})

    text = shown(wire, "/_sandbox/event?number=1")

    assert f"<dd>{told}</dd>" in text
    assert told == value or value not in text
    assert "&#34;value&#34;: 1" in text


def test_numbers_stay_exact_when_an_event_is_shown_in_full(wire: Wire) -> None:
    """It is indented, and not read anew."""
    number = b"1.00000000000000000000000000000000001e+2"
    body = json.dumps({**LEAD, "fields": {"value": 0}}).encode().replace(b": 0", b": " + number)

    wire.send("POST", WEBHOOK, EVENT_HEADERS, body)

    assert number.decode() in shown(wire, "/_sandbox/event?number=1")


NESTED = b'{"a":' + b"[" * 90 + b",".join([b"1"] * 100_000) + b"]" * 90 + b"}"


@pytest.mark.parametrize("body", [NESTED, b"[" * 500_000, b'"\xff', b"x" * 900_000])
def test_an_event_takes_little_more_than_it_is_when_it_is_shown_in_full(wire: Wire, body: bytes) -> None:
    """Whatever whoever sent it has made of it: to indent what is nested could take a thousand times as much."""
    wire.send("POST", WEBHOOK, EVENT_HEADERS, body)

    assert len(wire.send("GET", "/_sandbox/event?number=1", {}).body) < 2 * len(body) + 20_000


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "", "9" * 5000, "\u0661"])
def test_there_is_no_page_when_no_event_has_the_number(wire: Wire, number: str) -> None:
    """It is not kept any more, or never came."""
    wire.event()

    assert wire.send("GET", f"/_sandbox/event?number={quote(number)}", {}).status == 404


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("", [4, 3, 2, 1], id="none"),
        pytest.param("ADA@example.com", [4, 3, 2, 1], id="in capitals or not"),
        pytest.param("josé", [3], id="an escape of JSON"),
        pytest.param("leads:42 spring", [1], id="two words, anywhere"),
        pytest.param("leads:42 winter", [], id="all of them"),
        pytest.param("affiliate_event", [2], id="the endpoint"),
        pytest.param("422", [4], id="the status"),
        pytest.param("is required", [4], id="the reason"),
        pytest.param("text/odd", [3], id="a header"),
        pytest.param("bearer sandbox", [], id="no secret"),
        pytest.param("<script>", [], id="nothing"),
    ],
)
def test_what_holds_the_words_is_shown_when_a_filter_is_set(shared: Wire, words: str, found: list[int]) -> None:
    """Over all that is kept, and everything of it."""
    if not shared.counts()["requests"]:
        shared.event(EVERY)
        shared.event(AFFILIATE_LEAD, path=AFFILIATE)
        shared.event({**LEAD, "event_name": "José"}, x_kind="text/odd")
        shared.event({name: value for name, value in LEAD.items() if name != "source_id"})

    text = shown(shared, f"/?filter={quote(words)}")

    assert [number for number in (4, 3, 2, 1) if f'data-number="{number}"' in text] == found


@pytest.mark.parametrize("path", ["/", "/_sandbox/event?number=1"])
def test_no_other_site_reads_a_page_when_it_asks(wire: Wire, path: str) -> None:
    """Nor is it served under another name; and nothing but its own script may run."""
    wire.event()

    reply = wire.send("GET", path, {})

    policy = reply.headers["content-security-policy"]
    assert wire.send("GET", path, {"Host": "attacker.example.com"}).status == 421
    assert wire.send("GET", path, {"Origin": "http://attacker.example.com"}).status == 403
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["content-type"].startswith("text/html")


# In a browser.


@pytest.mark.parametrize("width", [NARROW, BROAD])
@pytest.mark.parametrize("is_dark", [False, True])
def test_the_page_is_well_when_a_browser_shows_it(browser: Browser, wire: Wire, width: int, *, is_dark: bool) -> None:
    """It asks nobody else, the browser has no complaint, and nothing sticks out; with a script in it, too."""
    evil = '<script>document.title = "harmed"</script><img src="//harm.example/x">'
    wire.event({**EVERY, "event_name": evil, "fields": {evil * 5: "W" * 2000}})
    wire.send("POST", f"/{evil[1:7]}", {"X-Odd": evil}, evil.encode())

    browser.open(wire.url, width=width, is_dark=is_dark)
    browser.run("document.querySelectorAll('a.whole')[1].click()")
    until(lambda: bool(browser.run("return document.getElementById('event').open")))

    assert browser.overhang == 0
    assert browser.run("return document.title") == "Driftrock sandbox"
    assert browser.run("return document.querySelectorAll('img, script').length") == 1
    assert all(address.startswith(wire.url) for address in browser.asked())
    assert browser.complaints() == []


def test_what_is_new_comes_on_top_when_a_page_is_open(browser: Browser, wire: Wire) -> None:
    """Nothing is reloaded, so that what is written and marked stays; the filter holds for what is new, too."""
    wire.event({**LEAD, "event_name": "Signed up"})
    browser.open(wire.url)
    browser.run("window.mark = true; document.querySelector('article').id = 'kept'")

    wire.event({**LEAD, "event_name": "Asked"})
    until(lambda: numbers(browser) == [2, 1])
    assert browser.run("return window.mark && !!document.getElementById('kept')")
    assert "2\nrequests" in browser.text("#figures") or "requests\n2" in browser.text("#figures")

    browser.type("#filter", "asked")
    until(lambda: numbers(browser) == [2])
    wire.event({**LEAD, "event_name": "Signed up"})
    wire.event({**LEAD, "event_name": "Asked again"})
    until(lambda: numbers(browser) == [4, 2])
    assert browser.run("return window.mark")
    assert browser.run("return location.search") == "?filter=asked"


def test_nothing_moves_when_the_page_is_paused(browser: Browser, wire: Wire) -> None:
    """Until it goes on; then all that came meanwhile is there, and after a reset what came since."""
    wire.event()
    browser.open(wire.url)
    browser.run("document.getElementById('pause').click()")
    before = browser.run("return performance.getEntriesByType('resource').length")

    wire.event()
    browser.run("return new Promise(done => setTimeout(done, 2500))")
    assert numbers(browser) == [1]
    assert browser.run("return performance.getEntriesByType('resource').length") == before
    assert "Paused" in browser.text("#state")

    browser.run("document.getElementById('pause').click()")
    until(lambda: numbers(browser) == [2, 1])
    wire.post("/_sandbox/reset")
    until(lambda: not numbers(browser))
    wire.event()
    until(lambda: numbers(browser) == [1])


def test_an_event_is_opened_and_closed_when_there_is_no_mouse(browser: Browser, wire: Wire) -> None:
    """By the keyboard alone; closed, one is where one was."""
    wire.event(EVERY)
    wire.event()
    browser.open(wire.url)

    while "Number 1" not in browser.press_tab():
        pass
    browser.press("\n")
    until(lambda: "leads:42" in browser.text("#event"))
    assert "Authorization\nBearer •••" in browser.text("#event")
    browser.press("\ue00c")

    assert not browser.run("return document.getElementById('event').open")
    assert "Number 1" in str(browser.run("return document.activeElement.innerText"))


def test_the_page_says_so_when_the_sandbox_has_ended(browser: Browser) -> None:
    """And what it showed stays."""
    with wired() as wire:
        wire.event()
        browser.open(wire.url)

    until(lambda: "does not answer" in browser.text("#state"))

    assert numbers(browser) == [1]


def test_no_more_than_its_share_is_listed_when_many_arrive(browser: Browser, wire: Wire) -> None:
    """Also of a page that stays open."""
    for _ in range(SHOWN):
        wire.event()
    browser.open(wire.url)
    wire.event()

    until(lambda: numbers(browser)[0] == SHOWN + 1)

    assert numbers(browser) == list(range(SHOWN + 1, 1, -1))
