"""Put a fixed text in the value's place (parameter ``text``, else ``XXX``), for receivers that need something."""

from __future__ import annotations

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling

DEFAULT = ("XXX",)


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    text = "".join(parameters.get("text", DEFAULT))

    def dummy(_value: str, _seeds: Seeds) -> str:
        return text

    return REMOVE if part else dummy


ACTION = Action(_rule, parameters=frozenset(("text",)))
