"""`check`: whether a run would start well. No event is sent, and a token is all that is asked for."""

from __future__ import annotations

import asyncio
import enum
import os
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

import click

from target_driftrock.auth import DriftrockAuthenticator, TokenUnavailable
from target_driftrock.client.dialler import connection_fault
from target_driftrock.commands.search import Search
from target_driftrock.errors import (
    PRECEDENCE,
    ExitCode,
    InputInvalid,
    LedgerUnavailable,
    NoThread,
    RunStopped,
    SettingsInvalid,
    faults,
)
from target_driftrock.events.event import Event
from target_driftrock.given import config_option, input_option
from target_driftrock.ledger import apis
from target_driftrock.ledger.inspection import doubts, sighted
from target_driftrock.ledger.location import parse_location
from target_driftrock.ledger.reading import reading
from target_driftrock.mapping.compiler import unreachable
from target_driftrock.mapping.ways import mended
from target_driftrock.naming import escaped, shown
from target_driftrock.network import Network, detached, sandbox_missing
from target_driftrock.settings import ApiKey, Environment, NewLedger
from target_driftrock.singer.reader import Reader
from target_driftrock.wording import counted, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from target_driftrock.commands.search import Verdict
    from target_driftrock.events.identity import KnownWay, Way
    from target_driftrock.given import Given
    from target_driftrock.ledger.inspection import Sight
    from target_driftrock.settings import ClientCredentials, Settings
    from target_driftrock.singer.messages import Record, Schema
    from target_driftrock.target import TargetDriftrock

DEADLINE = 15.0
"""Seconds for each thing that is asked of the network."""


@click.command()
@config_option
@input_option
@click.pass_obj
def check(given: Given) -> int:
    """Say whether settings, ledger, host and credentials would do. No event is sent.

    With --input it also holds the mapping against each SCHEMA in it, and the events against each other.
    """
    found = []
    has_input, variables = given.input is not None, given.variable_doubts()
    with given.opened() as source:
        for finding in findings(given.target, source, has_input=has_input, variables=variables):
            click.echo(finding.line)
            found.append(finding)
    return gravest(found)


class Level(enum.Enum):
    """How a finding bears on a run."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: what is so, and what to do where it is not well."""

    level: Level
    text: str
    exit_code: ExitCode = ExitCode.RESOLVED

    @property
    def line(self) -> str:
        """It as it is printed."""
        return f"{self.level.value}: {escaped(self.text)}"


def gravest(found: Iterable[Finding]) -> int:
    """What the command exits with."""
    codes = (finding.exit_code for finding in found if finding.level is Level.ERROR)
    return min(codes, key=PRECEDENCE.index, default=ExitCode.RESOLVED)


def findings(
    open_target: Callable[[], TargetDriftrock],
    source: IO[bytes] | None,
    *,
    has_input: bool,
    variables: Iterable[str] = (),
) -> Iterator[Finding]:
    """Everything looked at, in the order in which a run would meet it. `source` is read where `has_input`.

    `variables` is what was found wrong with these, and stops no run.
    """
    yield from map(_warning, variables)
    try:
        target = open_target()
    except SettingsInvalid as invalid:
        yield from _errors(invalid)
        return
    settings = target.settings
    mappings = counted(len(settings.mappings), "mapping")
    yield _ok(f"The settings are right: environment {settings.api.environment.value}, {mappings}.")
    yield from _ledger(settings)
    yield from _host_and_credentials(settings)
    if has_input:
        yield from _Input(target).findings(source)
    else:
        yield _warning("The mapping was not held against a SCHEMA: give a file of a tap's messages by --input.")
        yield from map(_warning, unreachable(settings.mappings))


def _ledger(settings: Settings) -> Iterator[Finding]:
    location, api = settings.keeping.ledger, settings.api.name
    may_make = settings.keeping.new_ledger is NewLedger.ALLOW
    try:
        yield from map(_warning, doubts(location, may_make=may_make))
        sight = sighted(location)
        yield _ok(_sight(sight, name=parse_location(location).name, api=api))
        if sight is not None:
            yield from map(_warning, apis.doubts(sight.delivered, api=api, may_be_new=may_make))
    except (SettingsInvalid, LedgerUnavailable) as stop:
        yield from _errors(stop)


def _sight(sight: Sight | None, *, name: str, api: str) -> str:
    """By what a person tells the right ledger from another one."""
    if sight is None:
        return _NO_LEDGER.format(name=name)
    last = (
        "It has had no run yet" if sight.last_run_at is None else f"Its last run began at {moment(sight.last_run_at)}"
    )
    return _LEDGER.format(name=name, last=last, known=sight.delivered.get(api, 0), api=shown(api))


def _host_and_credentials(settings: Settings) -> Iterator[Finding]:
    try:
        network = Network.from_environment(settings.api, os.environ)
        fault = _in_time(partial(connection_fault, network))
    except (SettingsInvalid, NoThread) as stop:
        yield from _errors(stop)
        return
    if fault is not None:
        is_sandbox = settings.api.environment is Environment.SANDBOX
        yield _error(sandbox_missing(settings.api) if is_sandbox else _UNREACHABLE.format(fault=fault), ExitCode.SETUP)
        yield _warning("The credentials were not checked, since nobody is there to ask.")
        return
    yield _ok("The host answers." if network.proxy is None else "The host answers, through the proxy.")
    yield _credentials(settings, network)
    yield _ok("No event was sent, so no capture was tried: the first events of a run do that.")


def _credentials(settings: Settings, network: Network) -> Finding:
    if isinstance(settings.credentials, ApiKey):
        return _warning("api_key cannot be checked without sending an event: the first event of a run shows it.")
    try:
        reason = _in_time(partial(_ask_for_token, settings.credentials, network))
    except RunStopped as refused:
        return _error(str(refused), refused.exit_code)
    if reason is not None:
        return _error(f"The token endpoint gives no token ({reason}): check again later.", ExitCode.SETUP)
    return _ok("The credentials are right: a token was granted.")


def _ask_for_token(credentials: ClientCredentials, network: Network) -> str | None:
    """Why there is no token at present, or None where one was granted."""
    try:
        DriftrockAuthenticator(credentials, network).update_access_token()
    except TokenUnavailable as unavailable:
        return unavailable.reason
    return None


def _in_time(call: Callable[[], str | None]) -> str | None:
    """What `call` finds fault with, or that it took too long: a name server alone can take a minute."""

    async def wait() -> str | None:
        try:
            async with asyncio.timeout(DEADLINE):
                return await detached(call)
        except TimeoutError:
            return "no answer in time"

    return asyncio.run(wait())


class _Input:
    """A file of a tap's messages: its SCHEMAs held against the mapping, and its events against each other."""

    def __init__(self, target: TargetDriftrock) -> None:
        self._streams, self._batch = target.streams, target.records.batch
        self._ways = _known_ways(target.settings)
        self._search = Search(api=target.settings.api.name, tell=_unheard)
        self._found: dict[Finding, None] = {}  # a tap may repeat a SCHEMA as often as it likes
        self._unmapped: set[str] = set()
        self._is_whole = False
        self._records = self._invalid = 0

    def findings(self, source: IO[bytes] | None) -> Iterator[Finding]:
        """What is found, once all is read."""
        reader = Reader()
        with closing(self._search):
            try:
                reader.process_lines(source, {"SCHEMA": self._take_schema, "RECORD": self._take_record})
                self._search.flush()
            except (InputInvalid, LedgerUnavailable) as stop:
                self._note(_errors(stop))
            else:
                self._is_whole = True
                if not reader.counts["SCHEMA"]:
                    yield _warning("The input holds no SCHEMA, so the mapping was held against none.")
                self._note(map(_warning, self._streams.unmet_stream_maps()))
                self._note(map(_warning, self._streams.idle_mappings()))
        yield from self._found
        if self._invalid:
            yield _warning(_INVALID.format(records=counted(self._records, "record"), invalid=self._invalid))
        yield from self._identities()

    def _take_schema(self, schema: Schema) -> None:
        try:
            warnings = self._streams.take_schema(schema)
        except SettingsInvalid as invalid:
            self._unmapped.add(schema.stream)
            self._note(_errors(invalid))
            return
        self._unmapped.discard(schema.stream)
        lists = "its SCHEMA lists everything that its mapping names"
        is_mapped = bool(self._streams.compiled(schema.stream))
        told = self._streams.mask.stream(schema.stream)
        self._note([_ok(f"Stream {told}: {lists if is_mapped else 'stream_maps takes it away'}.")])
        self._note(map(_warning, warnings))
        for compiled in self._streams.compiled(schema.stream):
            self._note(_error(fault, ExitCode.SETTINGS) for fault in mended(self._ways, compiled))

    def _take_record(self, record: Record) -> None:
        if record.stream in self._unmapped:
            return
        self._streams.map(record, position=1)  # what is only compared needs no number
        parts = self._batch.take()
        self._records += 1
        self._invalid += not all(isinstance(part, Event) for part in parts)
        for part in parts:
            if isinstance(part, Event):
                self._search.take(None, part)

    def _identities(self) -> Iterator[Finding]:
        found = self._search.findings
        errors, warnings = list(found.errors()), list(found.warnings())
        yield from map(_warning, warnings)
        yield from (_error(error, ExitCode.REJECTS) for error in errors)
        if self._is_whole and found.events and not (errors or warnings):
            yield _ok("Each event_id in the input stands for one event.")

    def _note(self, findings: Iterable[Finding]) -> None:
        self._found.update(dict.fromkeys(findings))


def _known_ways(settings: Settings) -> Mapping[Way, KnownWay]:
    """How identities were made before. What keeps the ledger from being read is a finding of its own."""
    try:
        with reading(settings.keeping.ledger) as ledger:
            return ledger.ways(settings.api.name)
    except (SettingsInvalid, LedgerUnavailable):
        return {}


def _unheard(_: None, __: Verdict | None) -> None:
    pass


def _ok(text: str) -> Finding:
    return Finding(level=Level.OK, text=text)


def _warning(text: str) -> Finding:
    return Finding(level=Level.WARNING, text=text)


def _error(text: str, exit_code: ExitCode) -> Finding:
    return Finding(level=Level.ERROR, text=text, exit_code=exit_code)


def _errors(stop: RunStopped) -> Iterator[Finding]:
    return (_error(fault, stop.exit_code) for fault in faults(stop))


_NO_LEDGER = (
    "There is no ledger in {name} yet: the first run makes it. If there were runs before, the setting names another "
    "place than theirs."
)
_LEDGER = "There is a ledger in {name}. {last}; delivered to {api}, as far as it knows: {known:,}."
_UNREACHABLE = (
    "The host of the API cannot be reached ({fault}): check environment, api_url, and this machine's network, "
    "HTTPS_PROXY and SSL_CERT_FILE."
)
_INVALID = (
    "Of {records} in the input, {invalid} would be refused as invalid: `target-driftrock preview --input` says which "
    "rules they break."
)
