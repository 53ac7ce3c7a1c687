"""`check`: whether a run would start well. No event is sent, and a token is all that is asked for."""

from __future__ import annotations

import asyncio
import enum
import os
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from target_driftrock.auth import DriftrockAuthenticator, TokenUnavailable
from target_driftrock.errors import PRECEDENCE, ExitCode, InputInvalid, LedgerUnavailable, RunStopped, SettingsInvalid
from target_driftrock.ledger.inspection import doubts
from target_driftrock.network import SANDBOX_MISSING, Network, connection_fault, detached
from target_driftrock.settings import ApiKey, Environment
from target_driftrock.singer.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from target_driftrock.settings import ClientCredentials, Settings
    from target_driftrock.singer.messages import Schema
    from target_driftrock.target import TargetDriftrock

DEADLINE = 15.0
"""Seconds for each thing that is asked of the network."""


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
        return f"{self.level.value}: {self.text}"


def gravest(found: Iterable[Finding]) -> int:
    """What the command exits with."""
    codes = (finding.exit_code for finding in found if finding.level is Level.ERROR)
    return min(codes, key=PRECEDENCE.index, default=ExitCode.RESOLVED)


def findings(
    open_target: Callable[[], TargetDriftrock], source: IO[bytes] | None, *, has_input: bool
) -> Iterator[Finding]:
    """Everything looked at, in the order in which a run would meet it. `source` is read where `has_input`."""
    try:
        target = open_target()
    except SettingsInvalid as invalid:
        yield from _errors(invalid)
        return
    settings = target.settings
    yield _ok(f"The settings are right: environment {settings.api.environment.value}, {_mappings(settings)}.")
    yield from _ledger(settings.keeping.ledger)
    yield from _host_and_credentials(settings)
    if has_input:
        yield from _mapping(target, source)
    else:
        yield _warning("The mapping was not held against a SCHEMA: give a file of a tap's messages by --input.")


def _mappings(settings: Settings) -> str:
    count = len(settings.mappings)
    return f"{count} mapping{'s' if count > 1 else ''}"


def _ledger(location: str) -> Iterator[Finding]:
    try:
        warnings = doubts(location)
    except (SettingsInvalid, LedgerUnavailable) as stop:
        yield from _errors(stop)
        return
    yield from map(_warning, warnings)
    if not warnings:
        yield _ok("The ledger can be kept where the setting says.")


def _host_and_credentials(settings: Settings) -> Iterator[Finding]:
    network = Network.from_environment(settings.api, os.environ)
    fault = _in_time(partial(connection_fault, network))
    if fault is not None:
        is_sandbox = settings.api.environment is Environment.SANDBOX
        yield _error(SANDBOX_MISSING if is_sandbox else _UNREACHABLE.format(fault=fault), ExitCode.SETUP)
        yield _warning("The credentials were not checked, since nobody is there to ask.")
        return
    yield _ok("The host answers." if network.proxy is None else "The proxy answers.")
    yield _credentials(settings, network)


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


def _mapping(target: TargetDriftrock, source: IO[bytes] | None) -> Iterator[Finding]:
    found: dict[Finding, None] = {}  # a tap may repeat a SCHEMA as often as it likes

    def hold_against(schema: Schema) -> None:
        found.update(dict.fromkeys(_schema(target, schema)))

    reader = Reader()
    try:
        reader.process_lines(source, {"SCHEMA": hold_against})
    except InputInvalid as invalid:
        found.update(dict.fromkeys(_errors(invalid)))
    else:
        if not reader.counts["SCHEMA"]:
            yield _warning("The input holds no SCHEMA, so the mapping was held against none.")
        found.update(dict.fromkeys(_error(fault, ExitCode.SETTINGS) for fault in target.unmet_stream_maps()))
    yield from found


def _schema(target: TargetDriftrock, schema: Schema) -> Iterator[Finding]:
    try:
        warnings = target.take_schema(schema)
    except SettingsInvalid as invalid:
        yield from _errors(invalid)
        return
    yield _ok(f"Stream {schema.stream}: its SCHEMA lists everything that its mapping names.")
    yield from map(_warning, warnings)


def _ok(text: str) -> Finding:
    return Finding(level=Level.OK, text=text)


def _warning(text: str) -> Finding:
    return Finding(level=Level.WARNING, text=text)


def _error(text: str, exit_code: ExitCode) -> Finding:
    return Finding(level=Level.ERROR, text=text, exit_code=exit_code)


def _errors(stop: RunStopped) -> Iterator[Finding]:
    return (_error(fault, stop.exit_code) for fault in str(stop).splitlines())


_UNREACHABLE = (
    "The host of the API cannot be reached ({fault}): check environment, api_url, and this machine's network, "
    "HTTPS_PROXY and SSL_CERT_FILE."
)
