"""How much work a compiled SCHEMA can make of one value: a few references can stand for billions of rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Weight(NamedTuple):
    """What a schema asks of the values on one way down from the one that it judges."""

    rules: int
    """How many schemas judge them; one that comes again within itself is counted once."""
    here: int = 0
    """How many lead back to one that they are within: for the same value,"""
    member: int = 0
    """for one member of an object,"""
    item: int = 0
    """for one item of an array."""

    @property
    def returns(self) -> int:
        """The same for any one value. From two on, the work doubles with each level of a record."""
        return self.here + max(self.member, self.item)


class Weights:
    """Weighs a schema, and each of its `definitions` once.

    Raises:
        RecursionError: Its references lead from one to the next for too long.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root["definitions"]
        self._known: dict[str, Weight] = {}
        self.rules = self._of(root).rules
        """How many schemas may have to be asked on one way down through a record."""
        self.is_branching = any(weight.returns > 1 for weight in self._known.values())
        """Whether one leads back to itself on more than one way, for one and the same value."""

    def _of(self, schema: Any) -> Weight:
        if not isinstance(schema, dict):
            return Weight(1)
        if "$ref" in schema:
            return self._referred(schema["$ref"].rpartition("/")[2])
        branches = [self._of(each) for keyword in ("allOf", "anyOf") for each in schema.get(keyword, ())]
        patterns, listed = schema.get("patternProperties", {}), schema.get("items", ())
        member_rules, member_returns = self._below(
            schema.get("properties", {}).values(),
            [*patterns.values(), *_given(schema, "additionalProperties", "propertyNames")],
        )
        item_rules, item_returns = self._below(
            listed if isinstance(listed, list) else _given(schema, "items"),
            _given(schema, "additionalItems", "contains"),
        )
        return Weight(
            rules=1 + sum(branch.rules for branch in branches) + max(member_rules, item_rules),
            here=sum(branch.here for branch in branches),
            member=sum(branch.member for branch in branches) + member_returns,
            item=sum(branch.item for branch in branches) + item_returns,
        )

    def _referred(self, key: str) -> Weight:
        if key not in self._known:
            self._known[key] = Weight(1, here=1)  # where it is met before it is known, it is within itself
            self._known[key] = self._of(self._definitions[key])
        return self._known[key]

    def _below(self, one_of: Iterable[Any], each_of: Iterable[Any]) -> tuple[int, int]:
        """Rules and returns for one member or item: of some schemas at most one judges it, of the others each may."""
        single, others = [self._of(each) for each in one_of], [self._of(each) for each in each_of]
        return (
            max((weight.rules for weight in single), default=0) + sum(weight.rules for weight in others),
            max((weight.returns for weight in single), default=0) + sum(weight.returns for weight in others),
        )


def _given(schema: Mapping[str, Any], *keywords: str) -> list[Any]:
    return [schema[keyword] for keyword in keywords if keyword in schema]
