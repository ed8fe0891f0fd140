"""A bundle as it would be used here: checked with what its profiles do, its tests run, compared with another in words.

``policy`` and ``deid`` do not know each other; this is where a bundle's rules and its profiles meet. The keeper looks
through it too, at what an emergency widens.

Deliberately absent: signing and storing (``activation``), and any I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.core.errors import PolicyError
from oathward.deid.action import actions
from oathward.deid.profile import Profile, builtin_profiles, load_profiles, parse
from oathward.policy.bundle import Bundle, load
from oathward.policy.difference import Change, Shaping, Side, difference
from oathward.policy.errors import PolicyErrors
from oathward.policy.model import ProfileView
from oathward.policy.trial import run


def check(files: Mapping[str, bytes]) -> Bundle:
    """Check a bundle as it would be used here.

    Raises:
        PolicyErrors: everything that is wrong, in file and line order.
    """
    builtin = {name: _view(profile) for name, profile in builtin_profiles().items()}
    return load(files, profiles=builtin, read_profile=lambda name, text: _view(parse(name, text)))


def _view(profile: Profile) -> ProfileView:
    """Say what a profile does in the words of policy."""
    used = {cls: action for cls, action in profile.actions if action != "remove"}
    return ProfileView(
        keeps=frozenset(cls for cls, action in used.items() if action == "keep"),
        passes=frozenset(used),
        keyed=frozenset(cls for cls, action in used.items() if actions()[action].keyed),
        shifts_dates=any(actions()[action].shifts for action in used.values()),
    )


def tested(bundle: Bundle) -> None:
    """Run a bundle's own tests.

    Raises:
        PolicyErrors: those that failed, each with its place.
    """
    failed = [outcome for outcome in run(bundle) if not outcome.passed]
    if failed:
        raise PolicyErrors(
            [PolicyError(one.case.where, f"test “{one.case.name}”: {one.why}") for one in failed]
        )


def changes_between(before: Bundle | None, after: Bundle) -> tuple[Change, ...]:
    """Say in words what a new bundle changes."""
    return difference(side_of(before) if before else None, side_of(after))


def side_of(bundle: Bundle) -> Side:
    """Give a bundle with what its profiles do, as a difference wants it."""
    return Side(bundle, {name: _shaping(profile) for name, profile in load_profiles(bundle.profiles).items()})


def _shaping(profile: Profile) -> Shaping:
    used = {cls: action for cls, action in profile.actions if action != "remove"}
    parameters = {
        action: "; ".join(f"{name}: {', '.join(values)}" for name, values in given)
        for action, given in profile.parameters
    }
    return Shaping(used, parameters, profile.uncatalogued, profile.dicom)
