"""The options of IHE Privacy Consent on FHIR (PCF) and how far each holds here, row by row, with the test that shows it.

Rules:
- ``whole``: what the option says is what is decided. ``part``: it is read, and where it cannot be told it says less than it may:
  a permit does not count, a denial is of more. ``none``: not there.
- Each row names a test; a test of the architecture fails where there is none of that name. ``table`` is what
  ``docs/reference/consent.md`` shows (``scripts/consent_options.py`` writes it).

Deliberately absent: the profile's actors and transactions (ITI-108, ITI-71, ITI-72): consents come as files and as messages, and
who asks is a link of the policy and no bearer of a token.

Source: IHE ITI Privacy Consent on FHIR 1.1, 1:53.2 (actor options).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TESTS = "tests/unit/consent/fhir/test_options.py"
SUPPORT = {"whole": "supported", "part": "in part: the narrower answer", "none": "not supported"}


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that an option of PCF lets a consent say. ``test``: function in ``TESTS``."""

    group: Literal["Implicit", "Basic", "Intermediate", "Advanced"]
    name: str
    support: Literal["whole", "part", "none"]
    how: str
    test: str


OPTIONS = (
    Option("Implicit", "Policy-deny", "whole", "each link needs consent (the default)", "test_implicit_deny"),
    Option("Implicit", "Policy-basic-normal", "whole", "care links have `without_consent = true`", "test_implicit_basic_normal"),
    Option("Implicit", "Policy-all-normal", "whole", "links whose legal basis is not consent have `without_consent = true`", "test_implicit_all_normal"),
    Option("Implicit", "Policy-break-glass-only", "whole", "only links for BTG have `without_consent = true`", "test_implicit_break_glass_only"),
    Option("Basic", "overarching policy agreed to", "whole", "`policy.uri`: the four above narrow what is permitted; others say nothing", "test_basic_overarching_policy"),
    Option("Basic", "permit", "whole", "`provision.type` permit", "test_basic_permit"),
    Option("Basic", "deny (dissent)", "whole", "`provision.type` deny", "test_basic_deny"),
    Option("Basic", "time limit", "whole", "`provision.period`, both ends inclusive", "test_basic_time_limit"),
    Option("Basic", "who is permitted or denied", "whole", "`provision.actor` in the role IRCP: device, person, practitioner, organisation", "test_basic_actor"),
    Option("Basic", "treatment, payment, operations", "whole", "`provision.purpose`, with all below it", "test_basic_purposes"),
    Option("Intermediate", "data timeframe, permitted", "part", "`provision.dataPeriod`: the permit does not count", "test_timeframe_permitted"),
    Option("Intermediate", "data timeframe, denied", "part", "`provision.dataPeriod`: the denial is of data of any time", "test_timeframe_denied"),
    Option("Intermediate", "data by id, permitted", "part", "`provision.data` instance: the permit does not count", "test_data_by_id_permitted"),
    Option("Intermediate", "data by id, denied", "part", "`provision.data` instance: the denial is of all data", "test_data_by_id_denied"),
    Option("Intermediate", "data author, permitted", "part", "`provision.data` authoredby: the permit does not count", "test_author_permitted"),
    Option("Intermediate", "data author, denied", "part", "`provision.data` authoredby: the denial is of all authors", "test_author_denied"),
    Option("Intermediate", "data relationship, permitted", "part", "`provision.data` related: the permit does not count", "test_relationship_permitted"),
    Option("Intermediate", "data relationship, denied", "part", "`provision.data` related: the denial is of all data", "test_relationship_denied"),
    Option("Intermediate", "additional purpose of use", "whole", "any of v3 PurposeOfUse that a link may have", "test_additional_purpose"),
    Option("Intermediate", "a purpose of one project", "part", "a code of another system: not permitted; denied for any purpose", "test_purpose_of_a_project"),
    Option("Intermediate", "deny but for break-glass", "whole", "a denial with a permit of BTG nested in it", "test_deny_but_break_glass"),
    Option("Advanced", "confidentiality and sensitive topics", "part", "`provision.securityLabel` against the labels a message bears; of topics nobody knows here permits do not count", "test_advanced_labels"),
)  # fmt: skip


def table() -> str:
    """Write the rows as the page shows them."""
    head = "| option | says | here | how | shown by |\n|---|---|---|---|---|\n"
    rows = (f"| {o.group} | {o.name} | {SUPPORT[o.support]} | {o.how} | `{o.test}` |" for o in OPTIONS)
    return head + "\n".join(rows) + "\n"
