"""What the canary run does not come by, or not always, with what it is made of: why no value can be in it."""

from __future__ import annotations

from collections.abc import Mapping

UNSAID: Mapping[str, str] = {
    "auth.py: raise _not_the_api(f'status {status}')": "a status",
    "delivery/dispatcher.py: log.warning('The ledger is lost at the very end: the next run takes op": "a constant sentence",
    "delivery/dispatcher.py: raise RejectsAboveLimit(_ALL_REFUSED.format(capture=capture.label, rea": "a mapping's label, and words of ours for a reply",
    "ledger/database.py: raise SettingsInvalid([f'ledger: {database.name} cannot be used: {foun": "a word of ours for the database's own code",
    "ledger/durable.py: log.warning('%s', warning)": "a sentence of ours about the kind of file system",
    "ledger/exclusive.py: log.warning('Waiting up to %d seconds for the ledger, held by %s.', wa": "the host and process that hold the ledger, and a word of ours; it takes two runs at once",
    "ledger/job.py: raise SettingsInvalid([_NO_ROOM.format(tasks=tasks, room=room)])": "two numbers; of a job on Spark, whose own canaries are in tests/spark",
    "ledger/postgres.py: raise LedgerUnavailable(_NOT_WIPED.format(name=self.name))": "host and database as the setting names them, without user and password",
    "ledger/postgres.py: raise SettingsInvalid([_OTHER_ENCODING.format(name=self.name)])": "host and database as the setting names them, without user and password",
    "ledger/postgres.py: raise SettingsInvalid([_POOLED.format(name=self.name)])": "host and database as the setting names them, without user and password",
    "ledger/sqlite.py: raise LedgerUnavailable(_STILL_HELD.format(cause='another program read": "SQLite's name for an error; somebody else has to read the file",
    "ledger/sqlite.py: raise LedgerUnavailable(_STILL_HELD.format(cause=error.sqlite_errornam": "SQLite's name for an error; somebody else has to read the file",
    "ledger/sqlite.py: raise SettingsInvalid([_READ_ONLY.format(name=self.name)]) from None": "the directory that the setting names; root, who runs tests, may write everywhere",
    "ledger/sqlite.py: raise SettingsInvalid([f'ledger: {self.name} cannot be written by this": "the directory that the setting names; root, who runs tests, may write everywhere",
    "progress.py: log.info('Driftrock gives verdicts again, after %s.', span(waited))": "a time; it takes an outage that ends",
    "progress.py: log.info('So far: %s.', told(figures, self._pace))": "counts and times",
    "progress.py: log.warning('%s', outage(outlook, since=self._wall() - outlook.waited)": "times, and words of ours for a reply",
    "records/door.py: log.warning('%s', warning)": "a mapping's label: the same sentences as in the pipe, for who puts records by Python",
    "records/door.py: log.warning('The receipt could not be kept: %s', lost)": "words of ours for the ledger's fault",
    "records/lines.py: raise InputInvalid(f'Record {position}, of stream {BARE.stream(stream)": "a number, and the stream's name, masked where it could be a value",
    "records/stream.py: raise InputInvalid(_TOO_LARGE.format(stream=self.told)) from None": "the stream's name, masked where it could be a value",
    "sandbox/command.py: raise CannotServe(f'Nothing can listen on port {port} of {host} ({erro": "the double of the API, with made-up data: an option as it was typed",
    "sandbox/command.py: raise CannotServe(f'Port {port} of {host} is taken: end what listens t": "the double of the API, with made-up data: an option as it was typed",
    "sandbox/command.py: raise CannotServe(f'The record cannot be written ({error.strerror}): c": "the double of the API, with made-up data: an option as it was typed",
    "sandbox/contract.py: raise ValueError(f'{name} is no JSON.')": "the double of the API, with made-up data: an option as it was typed",
    "sandbox/faults.py: raise FaultError(f\"{place.rstrip('`')}: {problem}.\") from None": "the double of the API, with made-up data: an option as it was typed",
    "sandbox/faults.py: raise FaultError(f'No fault is named {name}; the nearest is {get_close": "the double of the API, with made-up data: an option as it was typed",
    "spark/job.py: log.info(_NO_ORDER, ' and '.join(missing))": "names of attributes; of a job on Spark, whose own canaries are in tests/spark",
    "singer/checkpoint.py: raise ValueError(f'Record {position} is not open.')": "a record's number; only a defect leads there",
    "singer/checkpoint.py: raise ValueError(f'Record {position} is not the next after {self._newe": "a record's number; only a defect leads there",
    "singer/checkpoint.py: raise ValueError(f'There is no room for record {position}.')": "a record's number; only a defect leads there",
    "singer/decoding.py: raise InputInvalid(f'Line {number}, the SCHEMA of {BARE.stream(wire.st": "a line's number, and the stream's name, masked where it could be a value",
    "singer/loop.py: log.warning('%s', fault)": "a mapping's label",
    "singer/reader.py: raise InputInvalid(f'The input cannot be read after line {self.line} (": "a line's number, and the system's name for an error",
    "singer/stream_maps.py: raise SettingsInvalid([_REFUSED.format(cause=cause, stream=mask.stream": "the stream's name, masked where it could be a value, and an exception's class",
}
