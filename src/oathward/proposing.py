"""A change of policy that one can see first: proposed, told in words, tried, approved by another, in force, taken back.

Deliberately absent: judging who may (the keeper asks ``policy.access``), and reading folders (``cli``).
"""

from __future__ import annotations

from oathward.deid.profile import Profile, load_profiles
from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change, Shaping, Side, difference


def side_of(bundle: Bundle) -> Side:
    """Give a bundle with what its profiles do, as a difference wants it."""
    return Side(bundle, {name: _shaping(profile) for name, profile in load_profiles(bundle.profiles).items()})


def _shaping(profile: Profile) -> Shaping:
    actions = {cls: action for cls, action in profile.actions if action != "remove"}
    parameters = {
        action: "; ".join(f"{name}: {', '.join(values)}" for name, values in given)
        for action, given in profile.parameters
    }
    return Shaping(actions, parameters, profile.uncatalogued)


def changes_between(before: Bundle | None, after: Bundle) -> tuple[Change, ...]:
    """Say in words what a new bundle changes."""
    return difference(side_of(before) if before else None, side_of(after))
