"""Leave the value as it is."""

from __future__ import annotations

from oathward.deid.action import Action
from oathward.protocols.shaping import KEEP

ACTION = Action(lambda _cls, _part, _parameters: KEEP)
