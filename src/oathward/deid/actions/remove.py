"""Take the value away; the same as not listing its class."""

from __future__ import annotations

from oathward.deid.action import Action
from oathward.protocols.shaping import REMOVE

ACTION = Action(lambda _cls, _part, _parameters: REMOVE)
