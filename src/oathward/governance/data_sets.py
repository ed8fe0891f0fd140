"""What Oathward itself keeps, as data sets of the register: which tables, whose data, for how long.

Each table that can say something of a person belongs to one data set; a test looks for one that does not. How long a data set is kept stands
where its setting stands: it is read, never copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from oathward.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class DataSet:
    """What Oathward keeps under one name. ``tables``: where it lies; ``persons``: whose data, as Art. 30(1)(c) asks."""

    id: str
    title: str
    tables: frozenset[str]
    persons: str
    data: str
    kept: Callable[[Settings, Bundle | None], str]


def _keep_days(_: Settings, bundle: Bundle | None) -> str:
    keep = bundle.keep if bundle is not None else None
    return f"{keep.retention_days} days (link {keep.id})" if keep else "none are kept: no keep link"


DATA_SETS = (
    DataSet(
        "originals",
        "Sealed originals of messages",
        frozenset({"kept_body", "body", "intake_key"}),
        "patients, their relatives, staff",
        "whatever devices send, sealed to the keeper",
        _keep_days,
    ),
    DataSet(
        "quarantine",
        "Messages held for a person",
        frozenset({"quarantine", "held_device"}),
        "patients, their relatives, staff",
        "whatever devices send, sealed to the keeper; device, reason and place of each in clear",
        lambda *_: "until somebody releases or discards it",
    ),
    DataSet(
        "outbox",
        "Deliveries on their way",
        frozenset({"outbox", "delivery_missing", "created_once"}),
        "patients, their relatives, staff",
        "what links permit, shaped and sealed",
        lambda *_: "until the recipient has it, or somebody discards it",
    ),
    DataSet(
        "journal",
        "Journal of received messages",
        frozenset({"message", "message_traffic"}),
        "patients, as random ids",
        "device, type, size, time, reason; never content",
        lambda settings, _: f"{settings.gateway.message_rows_days} days ([gateway] message_rows_days)",
    ),
    DataSet(
        "ledger",
        "Ledger of decisions and changes",
        frozenset(
            {
                *("ledger_record", "ledger_facts", "ledger_posting", "ledger_head", "ledger_tile"),
                *("ledger_checkpoint", "ledger_follower"),
            }
        ),
        "patients, as random ids; staff by name or id",
        "codes, counts, digests, random ids",
        lambda *_: "without end; single bodies by removal",
    ),
    DataSet(
        "patients",
        "Who is who: subjects, keyed identifiers, sealed cards",
        frozenset(
            {
                *("subject", "subject_card", "subject_edge", "subject_identifier"),
                *("subject_word", "subject_canary", "subject_shown"),
            }
        ),
        "patients",
        "keyed hashes of identifiers and words; demographics, and how recipients know them, sealed to the keeper",
        lambda *_: "until the subject is erased",
    ),
    DataSet(
        "consents",
        "What patients allow and deny",
        frozenset(
            {
                *(
                    "consent_fact",
                    "consent_change",
                    "consent_changed",
                    "consent_arrival",
                    "consent_effect",
                    "consent_person",
                ),
                *("consent_notice", "consent_notice_mark"),
            }
        ),
        "patients, as random ids",
        "consent statements, their originals sealed; when each narrowing was in effect on a link, who was told of it",
        lambda *_: (
            "originals open, and who was told stands, until the subject is erased; statements without end, then of an id"
            " that names nobody"
        ),
    ),
    DataSet(
        "devices",
        "Inventory of devices",
        frozenset({"device", "device_change", "device_identity", "device_assertion"}),
        "staff, where an owner or a place names one",
        "what identifies a device, where it stands, what it may send",
        lambda *_: "without end: every version is a signed document",
    ),
    DataSet(
        "endpoints",
        "Living inventory: what was seen of every endpoint on the network and off it",
        frozenset(
            {
                *("endpoint", "endpoint_mark", "endpoint_attribute", "endpoint_lease", "endpoint_lease_late"),
                *("endpoint_relation", "endpoint_conflict", "endpoint_merge", "endpoint_probe"),
                *("endpoint_source", "endpoint_once", "device_catalogue"),
                *("type_model", "model_may_do", "card_maker"),
            }
        ),
        "staff and patients, where a host name, an owner or a phone's entry names one",
        "addresses, cards, serial numbers, names it gave itself, what each source says of it and when",
        lambda *_: "without end; who held which address until house-keeping deletes it",
    ),
    DataSet(
        "people",
        "People of this site and what they may",
        frozenset(
            {
                *("authority", "person", "person_identity", "person_unit", "person_role", "person_use"),
                *("person_proposal", "service", "saved_view", "saved_view_role"),
            }
        ),
        "staff, vendors' staff",
        "name, number, mail, roles, places of work; signed documents; filters of lists that they saved",
        lambda *_: (
            "without end: every version is a signed document; saved filters until somebody deletes them"
        ),
    ),
    DataSet(
        "changes",
        "Changes of policy: proposals, what is attached, their steps; findings of the review",
        frozenset(
            {
                *("change_file", "change_proposal", "change_attachment", "change_event", "change_edit"),
                "review_finding",
            }
        ),
        "staff, by id",
        "bundles, dry runs (counts), attachments, who proposed and approved and why",
        lambda *_: "without end",
    ),
    DataSet(
        "care",
        "Who cares for whom: stays, assignments",
        frozenset(
            {
                "care_stay",
                "care_assignment",
                "care_tie",
                "care_name",
                "care_order",
                "care_bed",
                "patient_death",
            }
        ),
        "patients, as random ids; staff by id or number",
        "unit, stay, bed (keyed hash), who attends, who ordered, from when until when; that somebody died",
        lambda *_: "as `vault/care` says: until the relationship has ended",
    ),
    DataSet(
        "accesses",
        "Reviews of openings that nothing explains",
        frozenset({"access_review", "access_step", "access_duty", "access_taken"}),
        "staff, by id; on-call rosters by staff number",
        "number of the opening's record, who opened, who reviewed, outcome; words sealed under the patient's key",
        lambda *_: "without end",
    ),
    DataSet(
        "disclosures",
        "Device data that went out under the wrong patient",
        frozenset({"disclosure", "disclosure_taken"}),
        "patients, as random ids; staff by id",
        "device, period, whose the data are, what it came to; never content",
        lambda *_: "until the subject is erased",
    ),
    DataSet(
        "uploads",
        "Uploads that bypass Oathward, as somebody saw them",
        frozenset({"upload"}),
        "patients, as random ids",
        "who gets it, device, classes of data, since when, a code of the evidence; never content",
        lambda *_: "until the subject is erased",
    ),
    DataSet(
        "findings",
        "Findings: what somebody should look at, until when",
        frozenset({"finding", "finding_history"}),
        "staff, by id",
        "kind, ids and addresses of what it is about, owner, due day, reasons staff gave; never content",
        lambda settings, _: (
            f"until settled, then {settings.findings.cleared_days} days ([findings] cleared_days)"
        ),
    ),
    DataSet(
        "deid-jobs",
        "Jobs of de-identification: what left of folders, what was held",
        frozenset({"deid_job", "deid_held", "deid_unit"}),
        "patients, as random ids; staff by id",
        "profile, project, counts, names of files as they are in the output, reasons, whose each unit is; never content or a path",
        lambda settings, _: f"{settings.deid.job_rows_days} days ([deid] job_rows_days)",
    ),
    DataSet(
        "network",
        "Who speaks with whom on the network, as sensors saw it; the plan of its addresses, rules of firewalls",
        frozenset(
            {
                *(
                    "flow_conversation",
                    "flow_total",
                    "flow_use",
                    "clear_class",
                    "observed_source",
                    "network_plan",
                    "network_ruleset",
                ),
            }
        ),
        "staff and patients, where an address is that of a device of theirs",
        "addresses, services, counts by hour; counts of classes seen in clear text, never a value; single flows as files beside",
        lambda settings, _: (
            f"totals {settings.network.total_days} days ([network] total_days), single flows {settings.network.flow_days} days"
            " ([network] flow_days); the plan and rules until others are imported"
        ),
    ),
    DataSet(
        "keeper-store",
        "The keeper's own store: keys, accounts, openings",
        frozenset(
            {
                *("meta", "secret", "signing", "signed", "project", "exchange", "data_key", "tombstone"),
                *(
                    "opening",
                    "opening_ask",
                    "glass",
                    "glass_miss",
                    "glass_reach",
                    "account",
                    "factor",
                    "invitation",
                    "wrong",
                ),
                *(
                    "provider_key",
                    "assertion",
                    "proposal",
                    "reidentify",
                    "reidentify_told",
                    "reidentify_looked",
                    "job_seed",
                ),
            }
        ),
        "staff, by id and login; patients, as random ids of keys",
        "wrapped keys, hashed passwords, passkeys, who opened whose data and when",
        lambda *_: "keys until erased; accounts until the person left; openings as their limits need",
    ),
    DataSet(
        "portal",
        "Who signs in at the patient portal, letters to them, what they asked for and reported",
        frozenset(
            {
                *("holder", "holder_seat", "holder_invitation", "holder_opening", "letter", "letter_told"),
                *("copy_request", "report"),
            }
        ),
        "patients and those who stand in for them",
        "name, mail address, language, day of birth, words of reports, all sealed; passkeys stand with the keeper's other factors",
        lambda *_: (
            "until the holder's last access has ended, or the subject is erased; letters three days at most;"
            " requests for a copy 30 days; reports until the subject is erased"
        ),
    ),
    DataSet(
        "governance",
        "This register",
        frozenset(
            {
                "register_entry",
                "register_agreement",
                "register_assessment",
                "register_change",
                "register_connection",
            }
        ),
        "staff, by id",
        "owners, stewards, agreements, assessments, external connections, history",
        lambda *_: "without end",
    ),
)
