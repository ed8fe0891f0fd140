"""One original that the keeper opened, as its clients have it; apart, so that asking the keeper loads none of it."""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.phi import Phi


@dataclass(frozen=True, slots=True)
class Original:
    """One opened original. ``purpose`` is what it was sealed for."""

    message: str
    subject: str
    purpose: str
    data: Phi[bytes]
