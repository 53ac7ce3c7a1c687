"""A full refresh over what was delivered; tokens that live two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks import inputs, page
from benchmarks.contestants import TARGET, target
from benchmarks.ledger import event, fill
from benchmarks.page import Row
from benchmarks.track import Job, heat, laid, run, told
from tests.contract.places import opened
from tests.program import sandbox

EVENTS = 100_000
OLDER = (0, 2_000_000)
TOKEN_EVENTS = 9_600


def measured(job: Job) -> Iterator[str]:
    refreshes = (_refreshed(job, round(EVENTS * job.scale), round(older * job.scale)) for older in OLDER)
    yield page.section("A full refresh", "SQLite, everything delivered before.", _REFRESH, refreshes)
    tokens = [_renewed(job, round(TOKEN_EVENTS * job.scale))]
    yield page.section("Tokens that live 2 s", "100 ms latency, 16 connections.", _TOKENS, tokens)


def _refreshed(job: Job, events: int, older: int) -> Row:
    """The same input once more: nothing is sent, and so many events are looked up a second."""
    place = job.folder / f"refresh-{older}"
    course, contestant = job.course(inputs.leads(events), events), target(place=place)
    with opened(str(place)) as ledger:
        fill(ledger, (event(f"older:{serial}", serial, way=None) for serial in range(older)))
    with laid() as url:
        heat(url, contestant, course)
        again = heat(url, contestant, replace(course, events=0))
    size = sum(file.stat().st_size for file in place.iterdir())
    seconds, room = again.process_seconds, size / (events + older)
    return [events, older, again.counts.requests, seconds, events / seconds, again.peak_mib, room]


def _renewed(job: Job, events: int) -> Row:
    """Tokens that live two seconds are renewed at half of their life: one request a second is due."""
    with sandbox("--latency", "0.1", "--token-lifetime", "2") as wire:
        course = job.course(inputs.leads(events), events)
        ended = run(TARGET.command(wire.url, course), source=course.source)
        counts = wire.counts()
    counted = [counts[name] for name in ("token_requests", "max_concurrent_token_requests", "unauthorized")]
    return [(told(ended.log) or (0, 0.0))[1], *counted, ended.exit_code]


_REFRESH = (
    "events | older events in the ledger | sent again | seconds, start-up included | events checked/s | peak MiB "
    "| bytes on disk/event"
)
_TOKENS = "seconds | token requests | at once | events answered 401 | exit"
