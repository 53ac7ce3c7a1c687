"""`init`: a mapping to begin with, out of what a tap says of its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_driftrock.commands.terminal import write
from target_driftrock.given import input_option

if TYPE_CHECKING:
    from target_driftrock.given import Given
    from target_driftrock.singer.messages import Schema


@click.command()
@input_option
@click.pass_obj
def init(given: Given) -> None:
    """Print a mapping to begin with, as YAML: for each SCHEMA in the input every path that it lists, as it is. What
    kind of event it is and for which capture is left open. Nothing is sent, and no settings are needed.
    """
    from target_driftrock.errors import InputInvalid
    from target_driftrock.mapping.skeleton import HEAD, skeleton
    from target_driftrock.singer.reader import Reader

    schemas: dict[str, Schema] = {}

    def take(schema: Schema) -> None:
        schemas[schema.stream] = schema

    with given.opened() as source:
        Reader().process_lines(source, {"SCHEMA": take})
    if not schemas:
        raise InputInvalid(_NO_SCHEMA)
    lines = [*HEAD]
    for name, found in schemas.items():
        lines += skeleton(name, schema=found.schema, key_properties=found.key_properties)
    write("".join(f"{line}\n" for line in lines).encode())


_NO_SCHEMA = "The input holds no SCHEMA: give a file of a tap's messages by --input, or a tap's output by a pipe."
