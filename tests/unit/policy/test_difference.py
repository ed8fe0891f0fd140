"""What a new bundle changes, told in words: every field of everything that is declared."""

from dataclasses import fields, is_dataclass

import pytest
from tests.unit.policy import small

from oathward import activation
from oathward.core import label_words
from oathward.core.labels import CLASSES
from oathward.deid.action import actions
from oathward.deid.profile import Profile
from oathward.policy import difference_fields as table
from oathward.policy import difference_links
from oathward.policy.bundle import Bundle
from oathward.policy.cases import Case
from oathward.policy.difference import Shaping
from oathward.policy.labels import LabelRule, LabelTable
from oathward.policy.model import Link, Project, Recipient, Sources, Tls
from oathward.policy.people_cases import PeopleCase
from oathward.policy.protection import Protection, Rule
from oathward.policy.statements import Statement
from oathward.proposing import changes_between

BASE = small.files() | {
    "profiles/own.toml": b'name = "own"\n[actions]\n"structure" = "keep"\n"observation.*" = "keep"\n"device.type" = "keep"\n"patient.demographic" = "listed"\n[parameters.listed]\n"codes" = ["F"]\n'
}
LISTED = "values"
BASE["profiles/own.toml"] = BASE["profiles/own.toml"].replace(b"codes", LISTED.encode())
VENDOR, EHR, RESEARCH = "links/vendor-cloud.toml", "links/ehr.toml", "links/research-registry.toml"


def edited(path: str, old: str, new: str, files=None) -> dict[str, bytes]:
    found = dict(files or BASE)
    text = found[path].decode()
    assert old in text, f"{path} has no {old!r}"
    return found | {path: text.replace(old, new, 1).encode()}


def told(before: dict[str, bytes], after: dict[str, bytes]):
    return changes_between(activation.check(before), activation.check(after))


def over(old: str, new: str, path: str = VENDOR):
    return told(BASE, edited(path, old, new))


TOP = "[sources]"
ROWS = [
    # place, old text, new text, kind, about, direction, words
("profiles/own.toml", '"observation.*" = "keep"', '"observation.code" = "keep"\n"observation.value" = "keep"', "link.gets", "vendor-cloud", "narrow", "Maker's telemetry service will no longer get time of event (observation.time)."),
    ("profiles/own.toml", '"observation.*" = "keep"', '"observation.*" = "keep"\n"observation.time" = "year"', "link.form", "vendor-cloud", "narrow", "gets time of event (observation.time) as years alone, no longer as they are."),
    ("profiles/own.toml", '"device.type" = "keep"', '"device.type" = "keep"\n"device.identity" = "alias"', "link.gets", "vendor-cloud", "widen", "may now get which unit a device is (device.identity) as names of the project."),
    (VENDOR, '"device.*", ', '"device.*", "organisation.name", ', "link.classes", "vendor-cloud", "same", "asks now also for organisations' names (organisation.name)"),
    (VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"', "link.sources.message_types", "vendor-cloud", "narrow", "Maker's telemetry service will no longer get alarms (ORU^R40)."),
    (VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01", "ORU^R40", "ADT^*"', "link.sources.message_types", "vendor-cloud", "widen", "may now get admissions and demographics (ADT^*)"),
    (VENDOR, 'devices = ["*"]', 'devices = ["pump-1"]', "link.sources.devices", "vendor-cloud", "widen", "may now get what devices `pump-1` send"),
    (VENDOR, 'devices = ["*"]', 'devices = ["*"]\nkinds = ["pump"]', "link.sources.kinds", "vendor-cloud", "widen", "kind `pump`"),
    (VENDOR, 'devices = ["*"]', 'devices = ["*"]\ntags = ["icu"]', "link.sources.tags", "vendor-cloud", "widen", "tagged `icu`"),
    (VENDOR, 'recipient = "vendor-cloud"', 'recipient = "research-registry"', "link.recipient", "vendor-cloud", "widen", "research-registry instead of vendor-cloud"),
    (VENDOR, 'purpose = "HOPERAT"', 'purpose = "HPAYMT"', "link.purpose", "vendor-cloud", "widen", "is for payment (HPAYMT) instead of running the services (HOPERAT)"),
    (VENDOR, "device maintenance", "upkeep of devices", "link.legal_basis", "vendor-cloud", "same", "upkeep of devices"),
    (VENDOR, 'profile = "device-telemetry"', 'profile = "own"', "link.profile", "vendor-cloud", "same", "is shaped by profile own"),
    (VENDOR, 'profile = "device-telemetry"', 'profile = "own"', "link.gets", "vendor-cloud", "narrow", "which unit a device is"),
    (VENDOR, "without_consent = true", "without_consent = false", "link.without_consent", "vendor-cloud", "narrow", "now needs the patient's consent"),
    (VENDOR, "without_consent = false", "without_consent = true", "link.without_consent", "vendor-cloud", "widen", "no longer needs the patient's consent"),
    (VENDOR, TOP, 'objection = "overruled"\n[sources]', "link.objection", "vendor-cloud", "widen", "objection is overruled"),
    (VENDOR, 'project = "telemetry"', 'project = "registry"', "link.project", "vendor-cloud", "widen", "pseudonyms of project registry"),
    (VENDOR, 'min_assurance = "certificate"', 'min_assurance = "claimed"', "link.min_assurance", "vendor-cloud", "widen", "at least by claimed"),
    (EHR, 'min_assurance = "address"', 'min_assurance = "vouched"', "link.min_assurance", "ehr", "narrow", "at least by vouched"),
    (VENDOR, 'min_protection = "mtls"', 'min_protection = "tls"', "link.min_protection", "vendor-cloud", "widen", "at least by tls"),
    (VENDOR, "MSA-2026-007", "MSA-2027-001", "link.agreement", "vendor-cloud", "same", "agreement MSA-2027-001 instead of MSA-2026-007"),
    (EHR, 'indeterminate = "care-team"', 'indeterminate = "hold"', "link.indeterminate", "ehr", "narrow", "what cannot be told is held"),
    (EHR, "retention_days = 7", "retention_days = 9", "link.retention_days", "ehr", "widen", "is kept for 9 days instead of 7"),
    (RESEARCH, 'format = "fhir"', "", "link.format", "research-registry", "widen", "leaves as what the recipient speaks"),
    (RESEARCH, TOP, 'mentioned = "update"\n[sources]', "link.mentioned", "research-registry", "widen", "written over"),
    (RESEARCH, TOP, "provenance = false\n[sources]", "link.provenance", "research-registry", "same", "no longer told how what it gets was made"),
    ("links/home-care.toml", TOP, 'shared_ids = ["hub-1"]\n[sources]', "link.shared_ids", "home-care", "widen", "references of devices `hub-1` leave as they are"),
    (VENDOR, 'on_exhausted = "skip"', 'on_exhausted = "block"', "link.on_exhausted", "vendor-cloud", "same", "holds those behind it"),
    (EHR, 'profile = "treatment"\ncarries_identity = true', 'profile = "own"\ncarries_identity = false', "link.carries_identity", "ehr", "narrow", "may no longer say who the patient is"),
    (EHR, 'uncatalogued = "pass"', 'uncatalogued = "hold"', "link.uncatalogued", "ehr", "narrow", "messages that hold it are held"),
    (VENDOR, 'confidentiality_max = "N"', 'confidentiality_max = "R"', "link.confidentiality_max", "vendor-cloud", "widen", "up to confidentiality R"),
    (VENDOR, '"*" = ["*"]', '"PSY" = ["*"]', "link.sensitivity_denied", "vendor-cloud", "widen", "where a message has anything of a sensitivity, may now get"),
    (VENDOR, TOP, "labels_travel = false\n[sources]", "link.labels_travel", "vendor-cloud", "widen", "no longer told how sensitive"),
    (VENDOR, TOP, 'notify = ["privacy-officer"]\n[sources]', "link.notify", "vendor-cloud", "same", "privacy-officer is told"),
    (VENDOR, TOP, "valid_from = 2026-01-01\n[sources]", "link.valid_from_us", "vendor-cloud", "narrow", "begins 2026-01-01"),
    (VENDOR, TOP, "valid_until = 2030-01-01\n[sources]", "link.valid_until_us", "vendor-cloud", "narrow", "ends 2030-01-01"),
    ("recipients/vendor-cloud.toml", "Maker's telemetry service", "Maker's cloud", "recipient.name", "vendor-cloud", "same", "Maker's cloud"),
    ("recipients/vendor-cloud.toml", "mllps://telemetry", "mllps://other", "recipient.address", "vendor-cloud", "widen", "is reached at other.vendor.example:2576"),
    ("recipients/vendor-cloud.toml", 'address = "mllps://telemetry.vendor.example:2576"', 'address = "https://telemetry.vendor.example/fhir"', "recipient.kind", "vendor-cloud", "widen", "is reached by FHIR over HTTPS"),
    ("recipients/vendor-cloud.toml", 'zone = "cloud"', 'zone = "research"', "recipient.zone", "vendor-cloud", "widen", "stands in zone research"),
    ("recipients/vendor-cloud.toml", "Example Devices Inc.", "Another Inc.", "recipient.party", "vendor-cloud", "widen", "belongs to Another Inc."),
    ("recipients/vendor-cloud.toml", "external = true", "external = false", "recipient.external", "vendor-cloud", "widen", "counts no longer as another legal person"),
    ("recipients/vendor-cloud.toml", 'zone = "cloud"', 'zone = "cloud"\nactors = ["Organization/54"]', "recipient.actors", "vendor-cloud", "widen", "Organization/54"),
    ("recipients/research-registry.toml", 'zone = "research"', 'zone = "research"\nwithdrawal_notice = true', "recipient.withdrawal_notice", "research-registry", "same", "is now told when a patient allows it less"),
    ("recipients/vendor-cloud.toml", 'zone = "cloud"', 'zone = "cloud"\npublic_key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="', "recipient.public_key", "vendor-cloud", "narrow", "only its holder can read it"),
    ("recipients/vendor-cloud.toml", "vendor-ca.pem", "other-ca.pem", "recipient.tls.ca", "vendor-cloud", "widen", "is believed when other-ca.pem vouches for it"),
    ("recipients/vendor-cloud.toml", "courier.pem", "own.pem", "recipient.tls.certificate", "vendor-cloud", "same", "own.pem"),
    ("recipients/vendor-cloud.toml", "courier.key", "own.key", "recipient.tls.key", "vendor-cloud", "same", "own.key"),
    ("recipients/vendor-cloud.toml", 'server_name = "telemetry', 'server_name = "other', "recipient.tls.server_name", "vendor-cloud", "widen", "must show a certificate for other.vendor.example"),
    ("projects.toml", "Device telemetry for the maker", "Telemetry", "project.title", "telemetry", "same", "Telemetry"),
    ("projects.toml", "[telemetry]", '[telemetry]\nmerges = "together"', "project.merges", "telemetry", "widen", "Project telemetry gives merged patients one pseudonym, also those merged before"),
    ("projects.toml", 'merges = "together"', 'merges = "apart"', "project.merges", "registry", "widen", "bears its own again"),
    ("projects.toml", "[telemetry]", '[telemetry]\nreleased_by = ["p-1"]', "project.released_by", "telemetry", "narrow", "takes jobs of p-1 (before: whoever may run one)"),
    ("projects.toml", 'released_by = ["p-1"]', 'released_by = ["p-1", "privacy-officer"]', "project.released_by", "registry", "widen", "takes jobs of p-1, privacy-officer (before: p-1)"),
    ("projects.toml", "[registry]", '[unused]\ntitle = "x"\n[registry]', "project.added", "unused", "same", "New project unused"),
    ("protection.toml", 'here = "clinical"', 'here = "enterprise"', "protection.here", "protection", "widen", "zone enterprise"),
    ("protection.toml", 'research = "partner"', 'research = "internal"', "protection.zones", "protection", "widen", "takes zone research for internal"),
    ("protection.toml", 'minimum = "mtls"', 'minimum = "tls"', "protection.rules", "protection", "widen", "asks at least tls instead of mtls for what leaves our zone with anything in it"),
    ("labels.toml", 'default = "N"', 'default = "R"', "label.default", "default", "narrow", "confidentiality R"),
    ("labels.toml", '"LN|7917-8"', '"LN|0-0"', "label.codes", "hiv-tests", "widen", "a code is"),
    ("labels.toml", 'location = ["PSY*", "BH*"]', 'location = ["PSY*"]', "label.location", "psychiatric-ward", "widen", "`PSY*`"),
    ("labels.toml", 'unit = ["SUD*", "DETOX*"]', 'unit = ["SUD*", "DETOX*", "X"]', "label.unit", "substance-use-unit", "narrow", "`X`"),
    ("labels.toml", 'unit = ["SUD*", "DETOX*"]', 'unit = ["SUD*", "DETOX*"]\ndevice_kind = ["pump"]', "label.device_kind", "substance-use-unit", "widen", "`pump`"),
    ("labels.toml", 'unit = ["SUD*", "DETOX*"]', 'unit = ["SUD*", "DETOX*"]\nsender = ["X"]', "label.sender", "substance-use-unit", "widen", "the sender is `X`"),
    ("labels.toml", 'confidentiality = "R"\nsensitivity = ["HIV"]', 'confidentiality = "V"\nsensitivity = ["HIV"]', "label.confidentiality", "hiv-tests", "narrow", "confidentiality V"),
    ("labels.toml", 'sensitivity = ["HIV"]', 'sensitivity = ["HIV", "SEX"]', "label.sensitivity", "hiv-tests", "narrow", "now also adds sensitivity `SEX`"),
    ("labels.toml", 'id = "hiv-tests"', 'id = "hiv"', "label.removed", "hiv-tests", "widen", "Label rule hiv-tests is gone"),
    ("profiles/own.toml", '"structure" = "keep"', '"structure" = "keep"\n"location" = "keep"', "profile.changed", "own", "same", "ward, room and bed (location): keep (before: remove)"),
    ("profiles/own.toml", '= ["F"]', '= ["M"]', "profile.changed", "own", "same", "`listed` by"),
    ("profiles/own.toml", "[parameters", "[dicom]\noptions = [113107, 113108]\n[parameters", "profile.changed", "own", "same", "options of DICOM PS3.15 Annex E: 113107 and 113108 (before: none)"),
    ("profiles/own.toml", 'name = "own"', 'name = "own"\nuncatalogued = "hold"', "profile.changed", "own", "same", "what nobody has catalogued: hold (before: remove)"),
    ("policies/exceptions.cedar", 'context.device_tags.contains("on-loan")', 'context.device_tags.contains("lent")', "policy.changed", "loaned-devices-stay-inside", "widen", "a demonstration unit on loan reports to its maker by contract, not through us"),
    ("policies/exceptions.cedar", "a demonstration unit", "a unit", "policy.why", "loaned-devices-stay-inside", "same", "a unit on loan"),
    ("policies/exceptions.cedar", '@id("loaned', '@notify("privacy-officer")\n@id("loaned', "policy.notify", "loaned-devices-stay-inside", "same", "privacy-officer is told"),
    ("policies/exceptions.cedar", '@id("research-knows-its-patient")', '@id("other")', "policy.removed", "research-knows-its-patient", "widen", "Gone is policy research-knows-its-patient, which forbids on research-registry"),
    ("policies/links.test.toml", 'name = "research without consent"', 'name = "research, nobody asked"', "test.changed", "research without consent", "same", "is gone"),
    ("bundle.toml", 'name = "starter"', 'name = "ours"', "bundle.name", "ours", "same", "“ours” (before: “starter”)"),
    ("bundle.toml", "Record at the bedside", "Record", "bundle.description", "starter", "same", "description"),
    ("bundle.toml", "schema = 1", "schema = 1 # ours", "bundle.text", "starter", "same", "Only comments"),
]  # fmt: skip


BASES = {
    "link.gets": edited(VENDOR, '"device-telemetry"', '"own"'),
    "link.form": edited(VENDOR, '"device-telemetry"', '"own"'),
    "project.merges": edited("projects.toml", "[registry]", '[registry]\nmerges = "together"'),
    "project.released_by": edited("projects.toml", "[registry]", '[registry]\nreleased_by = ["p-1"]'),
    "link.without_consent": edited(VENDOR, "without_consent = true", "without_consent = false"),
}
"""Rows of these kinds begin elsewhere; a row that narrows where its base is narrow already says so itself."""


@pytest.mark.turns(2, "row")  # every second row
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[3]} {row[5]} {row[2][:24]}")
def test_a_change_is_told_in_words(row):
    path, old, new, kind, about, direction, words = row
    base = BASES.get(kind, BASE) if old in BASES.get(kind, BASE)[path].decode() else BASE
    found = told(base, edited(path, old, new, base))
    hits = [change for change in found if (change.kind, change.about) == (kind, about)]
    assert any(c.direction == direction and words in c.words for c in hits), found


def test_the_widening_comes_first_and_everything_ends_as_a_sentence():
    found = told(BASE, edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ADT^*"'))
    assert [change.direction for change in found][:2] == ["widen", "narrow"]
    assert all(change.words.endswith(".") and change.words[0].isupper() for change in found)
    assert all(change.links == ("vendor-cloud",) for change in found)


def test_a_test_whose_file_is_as_before_is_no_change():
    found = told(BASE, edited(RESEARCH, '  "device.type",\n', ""))
    assert found
    assert {change.kind for change in found}.isdisjoint({"test.changed"}), found
    said = 'name = "research without consent"\npresent = ["device.type"]'
    found = told(BASE, edited("policies/links.test.toml", 'name = "research without consent"', said))
    assert [change.kind for change in found] == ["test.changed"]


TABLES = {
    Link: ("link", table.LINK),
    Sources: ("link.sources", table.SOURCES),
    Recipient: ("recipient", table.RECIPIENT),
    Tls: ("recipient.tls", table.TLS),
    Project: ("project", table.PROJECT),
    Protection: ("protection", table.PROTECTION_TABLE),
    LabelRule: ("label", table.LABEL_RULE),
}
ELSEWHERE = {
    # class -> field -> the kind of change that tells it, or why it is none
    Rule: {"classes": "protection.rules", "crossing": "protection.rules", "exposure": "protection.rules", "minimum": "protection.rules", "where": None},
    LabelTable: {"default": "label.default", "rules": "label.removed", "_cache": None, "_asked": None, "asked": None},
    Shaping: {"actions": "link.gets", "parameters": "profile.changed", "uncatalogued": "profile.changed", "dicom": "profile.changed"},
    Profile: {"name": None, "actions": "profile.changed", "parameters": "profile.changed", "uncatalogued": "profile.changed", "dicom": "profile.changed"},
    Statement: {"id": "policy.removed", "where": None, "permits": "policy.changed", "notify": "policy.notify", "tree": "policy.changed", "why": "policy.why"},
    Case: dict.fromkeys((f.name for f in fields(Case)), "test.changed"),
    PeopleCase: dict.fromkeys((f.name for f in fields(PeopleCase)), "test.changed"),
    Bundle: {
        "name": "bundle.name", "description": "bundle.description", "digest": "bundle.text", "body": None,
        "recipients": "recipient.name", "links": "link.purpose", "projects": "project.title", "protection": "protection.here",
        "labels": "label.default", "profiles": "profile.changed", "cases": "test.changed", "policies": "policy.changed",
        "people": "people.changed", "people_cases": "test.changed", "cuts": None, "answers": None, "verdicts": None, "_carriers": None,
    },
}  # fmt: skip
DERIVED_OR_KEY = {
    ("link", "id"),
    ("link", "classes"),
    ("link", "sources"),
    ("recipient", "id"),
    ("recipient", "tls"),
    ("project", "id"),
    ("project", "date_shift"),
    ("protection", "rules"),
    ("label", "id"),
}
"""Told elsewhere: an id is removed and added; what a field holds has rows of its own; a shift is refused on live links."""


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_every_field_of_what_is_declared_has_words(kind):
    noun, entries = TABLES[kind]
    assert {f.name for f in fields(kind)} == set(entries)
    shown = {row[3] for row in ROWS}
    assert [n for n in entries if f"{noun}.{n}" not in shown and (noun, n) not in DERIVED_OR_KEY] == []


@pytest.mark.parametrize("kind", ELSEWHERE, ids=lambda kind: kind.__name__)
def test_every_field_of_what_a_bundle_holds_is_told_somewhere(kind):
    assert {f.name for f in fields(kind)} == set(ELSEWHERE[kind])
    shown = {row[3] for row in ROWS} | {"people.changed"}
    assert {told for told in ELSEWHERE[kind].values() if told} <= shown


def test_a_field_nobody_has_words_for_is_told_as_widening(monkeypatch):
    """The reverse: a new field is never silent, and the test above turns red."""
    without = {name: rule for name, rule in table.LINK.items() if name != "purpose"}
    monkeypatch.setattr(difference_links.table, "LINK", without)
    found = over('purpose = "HOPERAT"', 'purpose = "HPAYMT"')
    assert [(c.direction, c.words) for c in found] == [
        ("widen", "Maker's telemetry service: `purpose` changed.")
    ]
    assert {f.name for f in fields(Link)} != set(without)


def test_every_class_and_action_has_words():
    words = {cls: label_words.class_words(cls) for cls in CLASSES}
    assert all(cls in said and said != f"{cls} ({cls})" for cls, said in words.items())
    assert len(set(words.values())) == len(CLASSES)
    assert [a for a in actions() if a != "remove" and label_words.action_words(a).startswith("by `")] == []


def test_a_new_site_is_told_everything():
    found = changes_between(None, activation.check(BASE))
    assert {c.about for c in found if c.kind == "link.added"} == {
        "ehr",
        "home-care",
        "keep",
        "research-registry",
        "vendor-cloud",
    }
    assert {c.about for c in found if c.kind == "recipient.added"} == {
        "ehr",
        "home-care",
        "research-registry",
        "vendor-cloud",
    }
    assert "Research registry of Example University may get" in next(
        c.words for c in found if c.about == "research-registry"
    )


def test_a_link_that_goes_narrows_and_one_that_comes_widens():
    without = {p: c for p, c in BASE.items() if "vendor" not in p}
    without["policies/links.cedar"] = b"\n".join(
        line for line in BASE["policies/links.cedar"].splitlines() if b"vendor" not in line
    )
    for path in ("policies/links.test.toml", "policies/exceptions.test.toml"):
        cases = without[path].decode().split("[[case]]")
        without[path] = "[[case]]".join(one for one in cases if "vendor-cloud" not in one).encode()
    gone = told(BASE, without)
    assert ("link.removed", "vendor-cloud", "narrow") in {(c.kind, c.about, c.direction) for c in gone}
    assert ("policy.removed", "vendor-cloud", "narrow") in {(c.kind, c.about, c.direction) for c in gone}
    assert "widen" not in {c.direction for c in gone}
    came = told(without, BASE)
    link = next(c for c in came if c.kind == "link.added")
    assert link.words == (
        "New link vendor-cloud: Maker's telemetry service of Example Devices Inc. may get make and model of the device "
        "(device.type), time of the message (message.time), what was measured (observation.code), time of event (observation.time), "
        "measured values (observation.value), the frame of the message (structure), which unit a device is (device.identity) "
        "as names of the project and sending and receiving system (message.party) "
        "as names of the project for running the services (HOPERAT), without asking the patient, as profile device-telemetry "
        "shapes it; it takes measurements (ORU^R01) and alarms (ORU^R40) from any device."
    )


PEOPLE = b'@id("auditors-see-less") @why("x")\nforbid(principal, action == Action::"ledger.see", resource) when { context.roles.contains("auditor") };\n'


@pytest.mark.parametrize(
    ("before", "after", "kind", "direction"),
    [
        (None, PEOPLE, "people.added", "narrow"),
        (PEOPLE, None, "people.removed", "widen"),
        (PEOPLE, PEOPLE.replace(b"ledger.see", b"health.see"), "people.changed", "widen"),
        (None, PEOPLE.replace(b"forbid", b"permit"), "people.added", "widen"),
    ],
)
def test_a_policy_about_people_concerns_no_link(before, after, kind, direction):
    a, b = (BASE | ({"people/x.cedar": text} if text else {}) for text in (before, after))
    (change,) = told(a, b)
    assert (change.kind, change.direction, change.links) == (kind, direction, ())
    assert "something to people" in change.words


def test_what_a_policy_reads_is_never_narrow():
    reading = BASE | {
        "policies/more.cedar": b'@id("m") forbid(principal, action == Action::"Disclose", resource) unless { context.sensitivity.contains("HIV") || context.confidentiality != "X" };'
    }
    path, row = "labels.toml", ('sensitivity = ["HIV"]', 'sensitivity = ["HIV", "SEX"]')
    (plain,), (read,) = told(BASE, edited(path, *row)), told(reading, edited(path, *row, reading))
    assert (plain.direction, read.direction) == ("narrow", "widen")
    assert "A policy reads it" in read.words


def test_two_links_of_one_recipient_are_told_apart():
    twin = BASE[VENDOR].replace(b'id = "vendor-cloud"', b'id = "vendor-two"', 1)
    both = BASE | {VENDOR.replace("cloud", "two"): twin}
    both["policies/links.cedar"] += (
        b'@id("two") permit(principal, action == Action::"Disclose", resource == Link::"vendor-two");'
    )
    (found,) = told(both, edited(VENDOR, "retention_days = 1", "retention_days = 2", both))
    assert found.words == "Maker's telemetry service on link vendor-cloud is kept for 2 days instead of 1."


def test_every_part_of_a_bundle_is_among_these():
    """A new kind of part has fields too."""
    seen = {*TABLES, *ELSEWHERE}
    held = {Link, Recipient, Project, Protection, LabelTable, Statement, Case, PeopleCase, Bundle}
    assert held <= seen
    assert all(is_dataclass(kind) for kind in seen)
