"""What a bundle changes, as the keeper sees it; and what one person may have signed alone, in an emergency.

Rules:
- It may narrow any link, widen only links for care inside this site, and change no policy about people (``policy.requirements``).
- What cannot be read or compared is not signed. The keeper looks itself, and does not believe who asks.

Deliberately absent: who may ask (``changes``), the assessment afterwards, and what two people must bring along (``papers``).
"""

from __future__ import annotations

from oathward import bundles
from oathward.core.errors import KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change
from oathward.policy.files import unpack
from oathward.policy.requirements import emergency_refusals
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper


def check(keeper: Keeper, body: bytes) -> None:
    """See that a bundle may go first.

    Raises:
        KeeperError: ``proposal.emergency-too-wide``; or it is no bundle.
    """
    changes, before, after = compare(keeper, body)
    refused = emergency_refusals(changes, before, after)
    if refused:
        raise KeeperError("emergency", " ".join(refused)[:500], reason=Reason.EMERGENCY_TOO_WIDE)


def compare(keeper: Keeper, body: bytes) -> tuple[tuple[Change, ...], Bundle | None, Bundle]:
    """Compare a bundle with the one in force: what changes, before (nothing where none is in force), after.

    Raises:
        KeeperError: ``bundle.invalid``: it is none that could be used.
    """
    there = roles.body_of(keeper, "bundle", "active")
    try:
        after = bundles.check(unpack(body))
        before = bundles.check(unpack(there)) if there is not None else None
    except PolicyError as error:
        raise KeeperError("bundle", "is none that could be used", reason=Reason.BUNDLE_INVALID) from error
    return bundles.changes_between(before, after), before, after
