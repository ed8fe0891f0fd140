"""Put a keyed name of the project in the place of a device's: one unit can be followed, not found.

Rules:
- The same unit has the same alias in all messages of a project, whoever the patient is.
- What only qualifies the identity (authority, type) is removed with it.
"""

from __future__ import annotations

from functools import lru_cache

from oathward.deid.action import Action, Parameters, Seeds, token
from oathward.protocols.shaping import REMOVE, Ruling


@lru_cache(maxsize=8_192)
def _alias(device_key: bytes, cls: str, value: str) -> str:
    return token(device_key, cls, value)


def _rule(cls: str, part: str, _parameters: Parameters) -> Ruling:
    if part:
        return REMOVE

    def alias(value: str, seeds: Seeds) -> str:
        return _alias(seeds.device_key, cls, value)

    return alias


ACTION = Action(_rule, keyed=True)
