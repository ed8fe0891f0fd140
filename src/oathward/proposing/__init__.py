"""A change of policy that one can see first: drafted, tried, proposed, approved by another, in force; or taken back.

| step | what happens | who |
|---|---|---|
| ``draft`` | checked as a whole, its own tests run, kept with its base | who proposes |
| ``try_out`` | the recorded decisions of the last days, decided again | the same |
| ``submit`` | what it requires is there, and is attached; the keeper takes it down | the same |
| ``approve`` | looked at again: nothing stale, nothing altered, nothing missing; the keeper decides who may | another person |
| ``activate`` | the keeper signs; stored with its record and the proposal in one transaction | who may |
| ``roll_back`` | the version before is signed again | one person; an emergency's is another's |
| ``emergency`` | goes first, by one person; may widen only care inside this site; due to be assessed | one person |

Rules:
- What is approved is what was seen: bundle, dry run and attachments are named by digest, and read under it again.
- A proposal starts from the version in force. Another version since makes it stale; ``rebase`` begins anew on that one.
- Who may is the keeper's to say, at each step that counts. What is missing is told whole, in words.

Deliberately absent: reading folders (``cli``), pages (``web``), and judging who may (``vault.keeper``).
"""

from __future__ import annotations

from oathward.bundles import changes_between
from oathward.policy.difference import Change
from oathward.policy.requirements import emergency_refusals
from oathward.proposing.deciding import activate, approve, emergency, roll_back, withdraw
from oathward.proposing.drafting import DAYS, attach, draft, rebase, submit, try_out
from oathward.proposing.looking import Proof, Shown, compiled, in_force, shown
from oathward.proposing.waiting import Waiting, waiting

__all__ = [
    "DAYS",
    "Change",
    "Proof",
    "Shown",
    "Waiting",
    "activate",
    "approve",
    "attach",
    "changes_between",
    "compiled",
    "draft",
    "emergency",
    "emergency_refusals",
    "in_force",
    "rebase",
    "roll_back",
    "shown",
    "submit",
    "try_out",
    "waiting",
    "withdraw",
]
