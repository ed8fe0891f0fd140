"""The keeper as the gateway's notices ask it; the rules stand in ``keeper.noticing``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oathward.core.phi import Phi
from oathward.vault.keeper.client.patients import original_of


class Notices:
    """How links know a patient, opened for a notice.

    Args:
        call: asks one operation of the keeper.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def identities(self, subject: str, because: str, links: Sequence[str]) -> dict[str, Phi[bytes]]:
        """Open how links know a subject, where that was sealed: link -> what a notice may say of who it is.

        Args:
            because: whose signed consent a notice is about: the subject, or one the subject is one person with.
        """
        found = self._call("notice_identities", subject=subject, because=because, links=list(links))
        return {one["purpose"]: original_of(one).data for one in found}
