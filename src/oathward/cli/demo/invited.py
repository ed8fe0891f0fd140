"""Whom a demo's site invites to its patient portal, and what the simulated among them do: wired to the simulator's play.

Rules:
- Invitations are made by the command anyone would use; who is invited has the letter and nothing else.
- The newcomer is whoever tries the demo. Where nobody can (``--for``, ``--json``), the simulator plays them too.
- What the clerk opened must wait for a reviewer, and merges that were not believed be on record with their reasons: asked of
  the site by commands, once the traffic is over.

Deliberately absent: counting (the judge), what the parts do (``oathward_sim.patients``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from oathward.cli.demo.people import CLARA, NILS
from oathward.core.clock import Clock
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.cli.demo.site import DemoSite
    from oathward_sim.hospital import Hospital, Patient
    from oathward_sim.mailbox import Mailbox
    from oathward_sim.patients import Deed, Promise, Scenes
    from oathward_sim.run import Config, Simulation

NEWCOMER, GIVES, PARENT = "newcomer", "gives", "parent"
ADDRESSES = {
    NEWCOMER: "you@patients.example",
    GIVES: "neighbour@patients.example",
    PARENT: "parent@patients.example",
}
_UNBELIEVED = frozenset({Reason.DEVICE_NOT_ENTITLED.code, Reason.SOURCE_NOT_AUTHORITATIVE.code})
"""Why a pump's merge goes nowhere, and a department's merges nobody."""
_PARENT_S = 10.0
"""How long a parent may act for their child, so that their time ends while one looks."""


class Invited(NamedTuple):
    """Who was invited. ``subjects``: part -> the subject id that the site said."""

    subjects: dict[str, str]
    parent_until_s: float


def invite(site: DemoSite, hospital: Hospital) -> Invited:
    """Invite the newcomer, somebody whose permission ended, and a parent whose time ends soon; whoever is signed in does."""
    until = Clock().now() + timedelta(seconds=_PARENT_S)
    parent = ("--proxy", "--basis", "parent", "--until", until.isoformat(timespec="seconds"))
    found = {
        NEWCOMER: _invite(site, hospital.newcomer, ADDRESSES[NEWCOMER]),
        GIVES: _invite(site, hospital.gives, ADDRESSES[GIVES]),
        PARENT: _invite(site, hospital.child, ADDRESSES[PARENT], *parent),
    }
    return Invited(found, until.timestamp())


def _invite(site: DemoSite, who: Patient, address: str, *options: str) -> str:
    from oathward_sim.hospital import AUTHORITY

    born = f"{who.born[:4]}-{who.born[4:6]}-{who.born[6:]}"
    holder, number = site.folder / "holder.toml", site.folder / "number.txt"
    name = f"{who.given} {who.family}".replace('"', "")
    holder.write_text(f'name = "{name}"\naddress = "{address}"\nborn = "{born}"\n')
    number.write_text(f"{who.mrn}^^^{AUTHORITY}^MR\n")
    files = ("--holder-file", str(holder), "--identifier-file", str(number))
    said = site.command("portal", "invite", *files, *options, fine=(0,))
    return str(said["subject"])


def mailbox(site: DemoSite) -> Mailbox:
    """Give the newcomer's letter box."""
    from oathward_sim.mailbox import Mailbox

    return Mailbox(site.letters, ADDRESSES[NEWCOMER])


def scenes(
    site: DemoSite, simulation: Simulation, invited: Invited, config: Config, *, alone: bool
) -> Scenes:
    """Give the play of everybody but the newcomer; ``alone``: of the newcomer as well."""
    from oathward_sim.holder import Holder
    from oathward_sim.patients import Scenes

    parts = [NEWCOMER, GIVES, PARENT] if alone else [GIVES, PARENT]
    return Scenes(
        simulation,
        {part: Holder(site.portal, ADDRESSES[part], site.letters) for part in parts},
        {"clinician": lambda: site.console(CLARA), "clerk": lambda: site.console(NILS)},
        parent_until_s=invited.parent_until_s,
        names={"clinician": CLARA, "clerk": NILS},
        config=config,
    )


@dataclass(frozen=True, slots=True)
class Reviews:
    """What waits for a reviewer of openings, and of broken glasses; and what came of merges by who may not say so.

    ``unbelieved``: reasons on record for which one was not believed. ``believed``: how many were.
    """

    unexplained: int = 0
    of_the_clerk: int = 0
    glasses: int = 0
    unbelieved: frozenset[str] = frozenset()
    believed: int = 0


def reviews(site: DemoSite, play: Scenes) -> Reviews:
    """Ask the site, by its commands, what waits for a reviewer, and whose merges it believed."""
    clerk = {one["id"] for one in site.command("people", "list", fine=(0,))["people"] if one["name"] == NILS}
    waiting = site.command("access", "list", "--waiting", fine=(0,))["openings"]
    glasses = site.command("break-glass", "list", fine=(0,))["glasses"]
    reasons = _findings(site, [deed for deed in play.deeds if deed.who == "department"]) | site.held().keys()
    merged = site.command("patient", "merge-edges", "--kind", "merged", "--limit", "1000", fine=(0,))["edges"]
    return Reviews(
        len(waiting),
        sum(one["person"] in clerk for one in waiting),
        len(glasses),
        _UNBELIEVED & reasons,
        sum(one["source"] != play.simulation.hospital.feed.name for one in merged),
    )


def _findings(site: DemoSite, deeds: Sequence[Deed]) -> set[str]:
    """Name what the site found while something was done: of a long demo, not all there is."""
    named = set[str]()
    for deed in deeds:
        since, until = (datetime.fromtimestamp(at, UTC).isoformat() for at in (deed.asked_s, deed.told_s + 1))
        wanted = ("--kind", "finding.raised", "--since", since, "--until", until, "--limit", "10000")
        named |= {one["body"]["finding"] for one in site.command("ledger", "search", *wanted, fine=(0,))}
    return named


def reviewed(found: Reviews, play: Scenes) -> dict[str, Promise]:
    """Say whether what the play had to leave for reviewers is there."""
    from oathward_sim.patients import Promise

    did = {deed.who for deed in play.deeds}
    clerk = bool(found.of_the_clerk) if "clerk" in did else None
    glass = bool(found.glasses) if "clinician" in did else None
    merges = found.unbelieved == _UNBELIEVED and not found.believed
    return {
        what: Promise(what, kept)
        for what, kept in (
            ("a clerk's opening waits for a reviewer", clerk),
            ("a broken glass waits for a reviewer", glass),
            (
                "merges by who may not say so are on record, each with its reason",
                merges if {"pump", "department"} <= did else None,
            ),
        )
    }
