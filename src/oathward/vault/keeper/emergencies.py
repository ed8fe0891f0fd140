"""What one person may have signed alone, in an emergency: the keeper looks itself, and does not believe who asks.

Rules:
- It may narrow anything, and widen only links for care inside this site (``policy.requirements``).
- What cannot be read or compared is no emergency.

Deliberately absent: who may ask (``changes``), and the assessment afterwards.
"""

from __future__ import annotations

from oathward import bundles
from oathward.core.errors import KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy.files import unpack
from oathward.policy.requirements import emergency_refusals
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper


def check(keeper: Keeper, body: bytes) -> None:
    """See that a bundle may go first.

    Raises:
        KeeperError: ``proposal.emergency-too-wide``; or it is no bundle.
    """
    there = roles.body_of(keeper, "bundle", "active")
    try:
        after = bundles.check(unpack(body))
        before = bundles.check(unpack(there)) if there is not None else None
    except PolicyError as error:
        raise KeeperError(
            "emergency", "is no bundle that could be used", reason=Reason.BUNDLE_INVALID
        ) from error
    refused = emergency_refusals(bundles.changes_between(before, after), before, after)
    if refused:
        raise KeeperError("emergency", " ".join(refused)[:500], reason=Reason.EMERGENCY_TOO_WIDE)
