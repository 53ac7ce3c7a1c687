"""`rejects --changed`: what it settles, what it needs of the settings, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from target_driftrock.commands.keeping import for_ledger
from target_driftrock.ledger.settling import settle
from target_driftrock.settings import OnChanged, mapping_label
from target_driftrock.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_driftrock.ledger.reading import Selection
    from target_driftrock.ledger.settling import Settlement

REPLAY = 'target-driftrock rejects --reason "settled as a change" --config FILE | target-driftrock --config FILE'
"""What sends again the rows that stay, and no others."""


def settle_changes(config: Mapping[str, Any], selection: Selection) -> None:
    """Settle the rows as changes of what was delivered, and say how many."""
    settings = for_ledger(config)
    settled = settle(settings.keeping.ledger, selection, sends=sent(config), wait=settings.patience.max_outage)
    for line in lines(settled):
        click.echo(line)


def sent(config: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether changes of a mapping, by its label, are sent; as far as the settings tell, which may be wrong here.

    Of a label that no mapping bears any more: whether those of any are. A row that stays can be settled once more, and
    one that is gone does not come again.
    """
    streams = config.get("streams")
    items = streams if isinstance(streams, list) else []
    default = config.get("on_changed")
    said = {
        mapping_label(index, str(item.get("stream"))): (item.get("on_changed") or default) == OnChanged.SEND.value
        for index, item in enumerate(items)
        if isinstance(item, Mapping)
    }
    is_any_sent = any(said.values()) or default == OnChanged.SEND.value
    return lambda label: said.get(label, is_any_sent)


def lines(settlement: Settlement) -> Iterator[str]:
    """What was settled, a line each."""
    left = f"; {settlement.left} left, since nothing was delivered under their event_id" if settlement.left else ""
    yield f"Settled as changed: {counted(settlement.settled, 'row')}{left}."
    if settlement.to_send:
        yield f"{settlement.to_send} of them stay to be sent again, since on_changed is send: {REPLAY}"
