"""Everything that somebody may want to do here, as one table: what it is called, what it is about, which group it is of.

| group | what its actions have in common |
|---|---|
| ``See`` | metadata: ids, codes, counts, times |
| ``Open`` | content: values of messages |
| ``Change`` | something becomes different, or is asked to |
| ``Approve`` | the second person's word on what another asked for |
| ``Portal`` | what holders do at the patient portal, and nobody else; in place of the four above |

Rules:
- A page, a call of the JSON API, a command against a server and an operation of the keeper each name one of these.
- ``fresh``: whoever does it has proved who they are within the step-up time, with two factors.
- The schema of people's policies is written from this table; so is the matrix of roles (``tests/architecture``).

Deliberately absent: who may (``rules/*.cedar``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Group = Literal["See", "Open", "Change", "Approve"]
GROUPS: tuple[Group, ...] = ("See", "Open", "Change", "Approve")
PORTAL = "Portal"
"""The group of what holders do: it stands in none of the others, so that no permit for staff reaches it."""

FRESH = "Fresh"
"""The group of all actions that need a fresh proof, whatever else they are."""


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """One action. ``thing``: the kind of what it is about; ``words``: as pages say it."""

    group: Group
    thing: str
    words: str
    fresh: bool = False
    portal: bool = False

    @property
    def groups(self) -> frozenset[str]:
        """The groups of actions it stands in."""
        if self.portal:
            return frozenset({PORTAL})
        return frozenset({self.group, FRESH} if self.fresh else {self.group})


def _see(thing: str, words: str) -> ActionInfo:
    return ActionInfo("See", thing, words)


def _open(thing: str, words: str, *, fresh: bool = False) -> ActionInfo:
    return ActionInfo("Open", thing, words, fresh)


def _change(thing: str, words: str, *, fresh: bool = False) -> ActionInfo:
    return ActionInfo("Change", thing, words, fresh)


def _held(group: Group, thing: str, words: str) -> ActionInfo:
    return ActionInfo(group, thing, words, portal=True)


def _approve(thing: str, words: str) -> ActionInfo:
    return ActionInfo("Approve", thing, words, fresh=True)


ACTIONS: Mapping[str, ActionInfo] = {
    # --- what flows
    "home.see": _see("area", "see the first page"),
    "messages.see": _see("message", "see which messages came and what became of them"),
    "message.open": _open("message", "open the content of one message", fresh=True),
    "quarantine.see": _see("message", "see what is held and why"),
    "quarantine.release": _change("message", "send held messages through the path again"),
    "quarantine.discard": _change("message", "give held messages up for good", fresh=True),
    "deliveries.see": _see("message", "see what waits for a recipient"),
    "delivery.change": _change("message", "try a stuck delivery again, or give it up"),
    "devices.see": _see("device", "see devices"),
    "inventory.see": _see("area", "see every endpoint that was seen or declared, and with whom it speaks"),
    "inventory.change": _change("area", "say what an endpoint is, join and take apart, bring lists in"),
    "inventory.probe": _change("area", "order one probe of one endpoint", fresh=True),
    "device.adopt": _change("device", "adopt an unknown device"),
    "device.change": _change("device", "change what is declared of a device"),
    "certificate.issue": _change("device", "give a device a certificate", fresh=True),
    "deid.run": _change("area", "de-identify a folder of files", fresh=True),
    "trace.read": _see("area", "trace what went where, and what was released to what it came from"),
    "reidentify.see": _see("area", "see who asked whose a pseudonym is"),
    "reidentify.request": _change("patient", "ask whose a pseudonym is"),
    "reidentify.approve": _approve("patient", "agree that another person is shown whose a pseudonym is"),
    "reidentify.show": _open("patient", "be shown whose a pseudonym is", fresh=True),
    "deid.see": _see("area", "see what became of folders that were de-identified"),
    "links.see": _see("link", "see the links and try a message on them"),
    "health.see": _see("area", "see whether anything is wrong"),
    "ledger.see": _see("area", "see and search the records"),
    "ledger.restore": _change("ledger", "declare a restored ledger", fresh=True),
    # --- policy
    "policy.see": _see("policy", "see the policy and its history"),
    "policy.propose": _change("policy", "propose another policy"),
    "policy.attach": _change("proposal", "attach what a proposal needs"),
    "policy.withdraw": _change("proposal", "withdraw a proposal"),
    "policy.approve": _approve("proposal", "approve another person's policy"),
    "policy.activate": _change("proposal", "put an approved policy in force", fresh=True),
    "policy.rollback": _change("policy", "go back to the policy before", fresh=True),
    "policy.emergency": _change("policy", "put an emergency policy in force alone", fresh=True),
    "review.see": _see("policy", "see the policy's review"),
    "review.sign-off": _change("finding", "sign a finding of the review off", fresh=True),
    "governance.see": _see("area", "see the register of data, links and recipients"),
    "governance.change": _change("area", "change owners, states, agreements and assessments"),
    "findings.see": _see("area", "see what somebody should look at, until when"),
    "finding.change": _change("finding", "give findings to somebody, suppress them, give them more time"),
    # --- people
    "people.see": _see("person", "see who has which role and why"),
    "people.change": _change("person", "bring in and change person records"),
    "grant.propose": _change("person", "propose a role for somebody"),
    "grant.approve": _approve("proposal", "approve another person's proposal of a role"),
    "account.invite": _change("person", "invite somebody to enrol", fresh=True),
    "account.reset": _change("person", "take somebody's lost factors away", fresh=True),
    "sessions.see": _see("session", "see who is signed in"),
    "session.revoke": _change("session", "end a session"),
    "own.see": _see("account", "see one's own account"),
    "own.change": _change("account", "change one's own factors, sessions and saved views"),
    "services.see": _see("service", "see service accounts"),
    "service.propose": _change("service", "propose a service account"),
    # --- patients
    "patient.find": _open("patient", "find a patient by number"),
    "patient.open": _open("patient", "see a patient's device data"),
    "breakglass.begin": _open("patient", "break the glass for a patient", fresh=True),
    "breakglass.reach": _open("patient", "reach a patient by number in an emergency", fresh=True),
    "breakglass.see": _see("area", "see which glasses were broken"),
    "breakglass.review": _approve("patient", "review another person's broken glass"),
    "opening.approve": _approve("opening", "let another person open more than the limit"),
    "consents.see": _see("patient", "see what patients said"),
    "consent.change": _change("patient", "enter what a patient says"),
    "consent.explain": _see("patient", "see who may see what of a patient, and why"),
    "withdrawals.see": _see("area", "see how soon a patient's no was in effect"),
    "care.change": _change("patient", "say who cares for whom"),
    "accesses.see": _see("area", "see why patients' data were opened"),
    "accesses.review": _change("finding", "review an opening that nothing explains"),
    "disclosures.see": _see("area", "see which device data went out under the wrong patient"),
    "disclosures.change": _change("area", "report and settle data that went out under the wrong patient"),
    "network.see": _see("area", "see who speaks with whom on the network"),
    "network.change": _change("area", "take in what sensors saw, and the plan of addresses"),
    "uploads.see": _see("area", "see what devices send past Oathward"),
    "uploads.change": _change("area", "enter and end what devices send past Oathward"),
    "merge.confirm": _approve("patient", "confirm that two patients are one"),
    "erase": _change("patient", "destroy a patient's keys", fresh=True),
    "emergency-copy.make": _open("patient", "have a sealed copy made for an emergency", fresh=True),
    "emergency-copy.reconcile": _change("patient", "record what was read of an emergency copy", fresh=True),
    # --- the patient portal: staff
    "portal.list": _see("patient", "see who has access to a patient's portal"),
    "portal.invite": _change("patient", "give somebody access to a patient's portal", fresh=True),
    "portal.end": _change("patient", "end an access to a patient's portal"),
    "reports.see": _see("area", "see what patients reported, without their words"),
    "report.open": _open("patient", "open what a patient wrote in a report", fresh=True),
    "report.settle": _change("patient", "say what a patient's report came to"),
    # --- the patient portal: holders
    "portal.see": _held("See", "patient", "see who sees what of one's own data"),
    "portal.values": _held("Open", "patient", "see one's own values"),
    "portal.choose": _held("Change", "patient", "say what one allows"),
    "portal.request": _held("Change", "patient", "ask for a copy of one's own data"),
    "portal.report": _held("Change", "patient", "report that something is wrong"),
    "portal.own": _held("Change", "account", "change one's own sign-in, end one's own accesses"),
    # --- keys
    "keys.rotate": _change("key", "renew keys", fresh=True),
    "keys.back-up": _change("key", "make a copy of the key store"),
}
"""Action -> what it is. A new one is one line here and a permit in ``rules``."""

THINGS: tuple[str, ...] = tuple(sorted({info.thing for info in ACTIONS.values()}))
"""Kinds of things, as ``Thing.kind`` has them."""


def entity_of(kind: str) -> str:
    """Name a kind of thing as Cedar's entity type: ``device`` -> ``Device``."""
    return kind.capitalize()
