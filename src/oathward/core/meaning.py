"""What a reason means: the form of a row of ``meanings``."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What happened, and what to do; ``remedy`` is empty where nothing needs to be done."""

    what: str
    remedy: str = ""
