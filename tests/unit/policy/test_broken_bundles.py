"""Broken bundles, one a row: each mistake is named with file, line and what to write instead."""

import base64
from dataclasses import replace
from typing import NamedTuple

import pytest
from tests.unit.policy import small

from oathward import bundles
from oathward.activation import check as load
from oathward.deid.action import actions
from oathward.policy import bundle
from oathward.policy.errors import PolicyErrors
from oathward.policy.model import ProfileView

KEY = base64.b64encode(small.KEY).decode()


class Broken(NamedTuple):
    """Replace ``old`` by ``new`` in ``path``; the error stands in ``where`` at the line that holds ``at``."""

    path: str
    old: str
    new: str
    at: str
    why: str
    where: str = ""


REGISTRY, EHR, KEEP = "links/research-registry.toml", "links/ehr.toml", "links/keep.toml"
TO_EHR, TO_REGISTRY = "recipients/ehr.toml", "recipients/research-registry.toml"
CEDAR, TESTS = "policies/links.cedar", "policies/links.test.toml"

PROFILES = {'"hollow"': {"profiles/hollow.toml": b'name = "hollow"\n[actions]\nstructure = "keep"\n'}}

TABLE = {
    # --- form
    "not TOML": Broken(EHR, 'purpose = "TREAT"', 'purpose = "TREAT', 'purpose = "TREAT', "not TOML"),
    "a key twice": Broken(EHR, 'id = "ehr"', 'id = "ehr"\nid = "ehr"', "", "not TOML", f"{EHR}:2"),
    "unknown key": Broken(EHR, "retention_days", "retention_day", "retention_day = 7", "did you mean `retention_days`?"),
    "unknown table": Broken(EHR, "[sources]", "[source]", "[source]", "did you mean `sources`?"),
    "unknown key in a table": Broken(EHR, "message_types", "message_typs", "message_typs", "did you mean `message_types`?"),
    "missing key": Broken(EHR, 'legal_basis = "', '# "', "", 'write legal_basis = "HIPAA 45 CFR 164.506(c)"', f"{EHR}:1"),
    "empty key": Broken(EHR, 'legal_basis = "HIPAA 45 CFR 164.506(c)(2); GDPR Art. 9(2)(h)"', 'legal_basis = ""', "legal_basis", "is empty; write"),
    "wrong type": Broken(EHR, "retention_days = 7", 'retention_days = "7"', "retention_days", "wrong type; write retention_days = 1"),
    "a flag as a number": Broken(EHR, "without_consent = true", "without_consent = 1", "without_consent", "wrong type; write without_consent = false"),
    "out of range": Broken(EHR, "retention_days = 7", "retention_days = 100000", "retention_days", "from 0 to 36500"),
    "an id with spaces": Broken(EHR, 'id = "ehr"', 'id = "our ehr"', "our ehr", 'as in id = "ehr"'),
    "wrong schema version": Broken("bundle.toml", "schema = 1", "schema = 2", "schema", "write schema = 1"),
    "a list of numbers": Broken(EHR, 'classes = ["*"]', "classes = [1]", "classes", "every entry must be text"),
    "a time without zone": Broken(EHR, "retention_days = 7", "valid_from = 2026-01-01T00:00:00", "valid_from", "needs its zone"),
    # --- words
    "unknown purpose": Broken(EHR, '"TREAT"', '"TREATMENT"', '"TREATMENT"', "did you mean `TREAT`?"),
    "unknown class": Broken(REGISTRY, '"observation.*"', '"observations.*"', '"observations.*"', "names no element class; did you mean `observation."),
    "unknown protection": Broken(EHR, '"mtls"', '"mTLS"', "mTLS", "did you mean `mtls`?"),
    "unknown assurance": Broken(EHR, '"address"', '"adress"', "adress", "did you mean `address`?"),
    "unknown confidentiality": Broken(EHR, 'confidentiality_max = "V"', 'confidentiality_max = "X"', "confidentiality_max", "known: L, M, N, R, U, V"),
    "unknown sensitivity": Broken(REGISTRY, '"*" = ["*"]', 'HIVV = ["*"]', "HIVV", "did you mean `HIV`?"),
    "unknown message type": Broken(EHR, 'message_types = ["*"]', 'message_types = ["ORU"]', "ORU", '"ORU^R01", "FHIR^Observation"'),
    "unknown profile": Broken(REGISTRY, '"safe-harbor"', '"safe-harbour"', "safe-harbour", "did you mean `safe-harbor`?"),
    "unknown recipient": Broken(EHR, 'recipient = "ehr"', 'recipient = "her"', "her", "did you mean `ehr`?"),
    "a ground that is consent": Broken(REGISTRY, "without_consent = false", "without_consent = true", "without_consent", "the legal basis is the patient's consent; write without_consent = false"),
    "no actor": Broken(TO_EHR, 'id = "ehr"', 'id = "ehr"\nactors = ["Organization/54", "Good Health"]', "Good Health", 'write as consents do: "Organization/54"'),
    "a notice that could name nobody": Broken("recipients/vendor-cloud.toml", 'zone = "cloud"', 'zone = "cloud"\nwithdrawal_notice = true', "withdrawal_notice", "so that no notice could name anybody"),
    "unknown project": Broken(REGISTRY, 'project = "registry"', 'project = "register"', 'project = "register"', "did you mean `registry`?"),
    "unknown zone": Broken(TO_REGISTRY, 'zone = "research"', 'zone = "reserch"', "zone", "did you mean `research`?"),
    "unknown exposure": Broken("protection.toml", 'cloud = "internet"', 'cloud = "web"', 'cloud = "web"', "known: internal, internet, partner"),
    "unknown label": Broken("labels.toml", '["PSY"]', '["PSI"]', '["PSI"]', "is no sensitivity code; did you mean"),
    # --- recipients
    "unknown address": Broken(TO_EHR, "mllps://ehr", "ftp://ehr", "address", 'write "mllps://host:port"'),
    "a base with a query": Broken(TO_EHR, "mllps://ehr.example:2576", "https://ehr.example/fhir?x=1", "address", "the base of the FHIR server"),
    "https without TLS": Broken(TO_EHR, 'mllps://ehr.example:2576"', 'mllp://ehr.example:2576"', "[tls]", "only mllps and https use TLS"),
    "a format nobody knows": Broken(EHR, "retention_days = 7", 'format = "xml"', "format", "is not a known `format`"),
    "a format the recipient does not speak": Broken(EHR, "retention_days = 7", 'format = "fhir"', "format", "speaks hl7v2"),
    "a format for what is kept": Broken(KEEP, "retention_days = 30", 'format = "fhir"\nretention_days = 30', "format", "stays as it came"),
    "mentioned by nobody's word": Broken(REGISTRY, 'format = "fhir"', 'mentioned = "merge"\nformat = "fhir"', "mentioned", "is not a known `mentioned`"),
    "mentioned where HL7 v2 stays HL7 v2": Broken(EHR, "retention_days = 7", 'mentioned = "update"', "mentioned", "does not leave as FHIR"),
    "shared ids with a recipient of HL7 v2": Broken(EHR, "retention_days = 7", 'shared_ids = ["hub"]', "shared_ids", "only a recipient of FHIR"),
    "shared ids where nobody is told who it is": Broken(REGISTRY, 'format = "fhir"', 'shared_ids = ["hub"]\nformat = "fhir"', "shared_ids", "only a recipient of FHIR"),
    "how it was made, to a recipient of HL7 v2": Broken(EHR, "retention_days = 7", "provenance = false", "provenance", "only a FHIR server"),
    "how it was made, of what is kept": Broken(KEEP, "retention_days = 30", "provenance = true\nretention_days = 30", "provenance", "stays as it came"),
    "mentioned for what is kept": Broken(KEEP, "retention_days = 30", 'mentioned = "create"\nretention_days = 30', "mentioned", "stays as it came"),
    "FHIR to a recipient of HL7 v2": Broken(EHR, 'message_types = ["*"]', 'message_types = ["FHIR^Observation"]', "[sources]", "FHIR is not written as HL7 v2"),
    "no port": Broken(TO_EHR, "ehr.example:2576", "ehr.example", "address", "write host and port"),
    "a port too high": Broken(TO_EHR, ":2576", ":99999", "address", "write host and port"),
    "a folder that escapes": Broken(TO_REGISTRY, "https://registry.university.example/fhir", "file:../drop/fhir", "address", "without `..`"),
    "a certificate by path": Broken(TO_EHR, '"site-ca.pem"', '"/etc/site-ca.pem"', "/etc", "name of a file"),
    "a certificate without key": Broken(TO_EHR, 'key = "courier.key"\n', "", "[tls]", "go together"),
    "mllps without TLS": Broken(TO_EHR, "[tls]", "[tsl]", "address", "needs a table [tls]"),
    "a key that is none": Broken(TO_REGISTRY, KEY, "c2hvcnQ=", "public_key", "32 bytes in base64"),
    "a key of zeros": Broken(TO_REGISTRY, KEY, base64.b64encode(bytes(32)).decode(), "public_key", "32 bytes in base64"),
    "a recipient called keep": Broken(TO_EHR, 'id = "ehr"', 'id = "keep"', 'id = "keep"', "choose another id"),
    # --- the whole
    "duplicate recipient": Broken(TO_EHR, 'id = "ehr"', 'id = "vendor-cloud"', "", "stands already at recipients/ehr.toml:1", "recipients/vendor-cloud.toml:1"),
    "duplicate link": Broken(EHR, 'id = "ehr"', 'id = "keep"', "", "stands already at links/ehr.toml:1", f"{KEEP}:2"),
    "two keep links": Broken(EHR, 'recipient = "ehr"', 'recipient = "keep"', "", "only one link may keep", f"{KEEP}:3"),
    "external without agreement": Broken(REGISTRY, 'agreement = "DUA-2026-001"\n', "", "recipient =", 'as in agreement = "DUA-2026-014"'),
    "identity without saying so": Broken(EHR, "carries_identity = true", "carries_identity = false", 'profile = "treatment"', "write carries_identity = true"),
    "no project": Broken(REGISTRY, 'project = "registry"\n', "", "profile =", "makes keyed names of patient.identifier: write project"),
    "identity that the profile removes": Broken(REGISTRY, 'on_exhausted = "skip"', "carries_identity = true", "carries_identity", "write carries_identity = false"),
    "a profile that removes it all": Broken(REGISTRY, '"safe-harbor"', '"hollow"', "profile =", "removes every class of this link"),
    "a profile that shifts dates": Broken(REGISTRY, '"safe-harbor"', '"shifting"', "profile =", "`shifting` shifts dates"),
    "dates shifted on line": Broken("projects.toml", "date_shift = false #", "date_shift = true #", "project =", "use a project that does not (date_shift = false)", REGISTRY),
    "a role that is none": Broken("projects.toml", "[registry]", '[registry]\nreleased_by = ["privacy-oficer"]', "released_by =", "did you mean `privacy-officer`?"),
    "nobody who may release": Broken("projects.toml", "[registry]", "[registry]\nreleased_by = []", "released_by =", "names nobody"),
    "a name in place of an id": Broken("projects.toml", "[registry]", '[registry]\nreleased_by = ["Ada Lovelace"]', "released_by =", "ids of persons and roles"),
    "merges of a third kind": Broken("projects.toml", "[registry]", '[registry]\nmerges = "appart"', "merges =", "did you mean `apart`?"),
    "half an observation": Broken(REGISTRY, '"observation.*"', '"observation.value"', "classes", "passes whole or not at all"),
    "uncatalogued off care": Broken(REGISTRY, 'on_exhausted = "skip"', 'uncatalogued = "pass"', "uncatalogued", 'write uncatalogued = "remove"'),
    "care-team off care": Broken(REGISTRY, 'on_exhausted = "skip"', 'indeterminate = "care-team"', "indeterminate", 'write indeterminate = "hold"'),
    "overruled where consent is needed": Broken(REGISTRY, 'on_exhausted = "skip"', 'objection = "overruled"', "objection", 'write objection = "honoured"'),
    "kept for ever": Broken(KEEP, "retention_days = 30\n", "", 'recipient = "keep"', "write retention_days = 30"),
    "ends before it begins": Broken(EHR, "retention_days = 7", "valid_from = 2026-02-01\nvalid_until = 2026-01-01", "valid_until", "a date after"),
    "no source device": Broken(EHR, 'devices = ["*"]\n', "", "[sources]", "no device can match"),
    "nothing listed": Broken(EHR, 'classes = ["*"]', "classes = []", "classes", "nothing is listed"),
    "e2e asked, no key": Broken(TO_REGISTRY, f'public_key = "{KEY}"', "", 'id = "research-registry"', "needs mtls+e2e (protection.toml:20): write public_key"),
    "plain where mTLS is asked": Broken(TO_EHR, 'certificate = "courier.pem"\nkey = "courier.key"\n', "", "address", "gives tls, link `ehr` needs mtls (links/ehr.toml:11): write certificate and key"),
    "a combination no rule covers": Broken("protection.toml", '[[rules]]\nclasses = ["*"]\nminimum', '[[rules]]\nclasses = ["order"]\nminimum', "", "(crossing same, exposure internal); write a [[rules]]", "protection.toml"),
    "a zone we do not stand in": Broken("protection.toml", 'here = "clinical"', 'here = "clinic"', "here", "did you mean `clinical`?"),
    "a label rule without condition": Broken("labels.toml", 'unit = ["SUD*", "DETOX*"]\n', "", "", "states no condition", "labels.toml:10"),
    "a label rule that raises nothing": Broken("labels.toml", 'confidentiality = "R"\nsensitivity = ["SUD"]', "", "", "raises nothing", "labels.toml:10"),
    "a label rule twice": Broken("labels.toml", '"hiv-tests"', '"psychiatric-ward"', "", "used twice", "labels.toml:17"),
    # --- Cedar
    "not Cedar": Broken(CEDAR, 'resource == Link::"ehr");', 'resource = Link::"ehr");', "resource = Link", "not Cedar"),
    "a policy without end": Broken(CEDAR, 'Link::"keep");', 'Link::"keep")', 'Link::"keep")', "before `;`"),
    "a policy without name": Broken(CEDAR, '@id("ehr")\n', "", 'resource == Link::"ehr"', 'write @id("…")'),
    "a policy name twice": Broken(CEDAR, '@id("keep")', '@id("ehr")', "", f"stands already at {CEDAR}:3", f"{CEDAR}:15"),
    "an unknown annotation": Broken(CEDAR, '@id("keep")', '@id("keep") @notfy("dpo")', "@notfy", "did you mean `notify`?"),
    "an unknown action": Broken(CEDAR, 'Action::"Disclose", resource == Link::"ehr"', 'Action::"Disclosed", resource == Link::"ehr"', "Disclosed", "did you mean `Disclose`?"),
    "an unknown attribute": Broken("policies/exceptions.cedar", "context.device_tags", "context.device_tag", "context.device_tag.", "did you mean `device_tags`?"),
    "an attribute of a device": Broken("policies/exceptions.cedar", "context.subject", "principal.kind", "principal.kind", "what is known of it stands in the context"),
    "a type that does not fit": Broken("policies/exceptions.cedar", 'context.subject == "known"', 'context.assurance == "certificate"', "", "not compatible", "policies/exceptions.cedar:8"),
    "a link nobody declared": Broken(CEDAR, 'Link::"keep"', 'Link::"kept"', '@id("keep")', "did you mean `keep`?"),
    "a recipient nobody declared": Broken("policies/exceptions.cedar", 'Recipient::"research-registry"', 'Recipient::"research"', '@id("research-knows', "did you mean `research-registry`?"),
    "a link nobody permits": Broken(CEDAR, '@id("ehr")\npermit', '@id("ehr")\nforbid', 'id = "ehr"', 'write in policies/: @id("ehr") permit(', EHR),
    "a template": Broken(CEDAR, 'permit(principal, action == Action::"Disclose", resource == Link::"ehr")', "permit(principal == ?principal, action, resource)", '@id("ehr")', "templates are not used"),
    "a changed schema": Broken("schema.cedarschema", "message_type: String,", "message_type?: String,", "message_type?", "copy schema.cedarschema"),
    "a broken schema": Broken("schema.cedarschema", "entity Device; ", "entity Device ", "entity Device", "copy schema.cedarschema"),
    # --- its tests
    "a test of no link": Broken(TESTS, 'link = "ehr"', 'link = "her"', "[[case]]", "did you mean `ehr`?"),
    "a test expects a strange answer": Broken(TESTS, 'expect = "permit"', 'expect = "permitted"', "permitted", "did you mean `permit`?"),
    "a test with a strange reason": Broken(TESTS, "decision.no-consent", "decision.noconsent", "decision.noconsent", "did you mean `decision.no-consent`?"),
    "a test of a strange fact": Broken(TESTS, 'unknown = ["consents"]', 'unknown = ["consent"]', 'unknown = ["consent"]', "did you mean `consents`?"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_a_broken_bundle_says_where_and_what(name: str):
    row = TABLE[name]
    files = small.changed(row.path, row.old, row.new)
    where = row.where or row.path
    if row.new in PROFILES:
        files |= PROFILES[row.new]
    if row.at:
        lines = files[where].decode().split("\n")
        where += f":{next(n for n, line in enumerate(lines, 1) if row.at in line)}"
    views = {"shifting": ProfileView(frozenset({"order"}), frozenset({"order"}), shifts_dates=True)}
    with pytest.raises(PolicyErrors) as caught:
        bundle.load(files, profiles=views) if "shifting" in row.new else load(files)
    found = [(error.where, error.why) for error in caught.value.errors]
    assert any(place == where and row.why in why for place, why in found), found


def test_no_live_link_may_use_a_built_in_profile_that_moves_dates(monkeypatch: pytest.MonkeyPatch):
    files = small.changed(REGISTRY, 'profile = "safe-harbor"', 'profile = "research"')
    with pytest.raises(PolicyErrors) as caught:
        bundles.check(files)
    assert any("shifts dates, and this link is live" in error.why for error in caught.value.errors)
    # The reverse: were it not known what moves dates, the bundle would be taken.
    still = {name: replace(action, shifts=False) for name, action in actions().items()}
    monkeypatch.setattr(bundles, "actions", lambda: still)
    assert bundles.check(files).links["research-registry"].profile == "research"


def test_the_same_bundle_without_the_mistake_is_fine():
    assert load(small.files()).name == "starter"


def test_the_table_is_long_enough():
    assert len(TABLE) >= 30


def test_all_mistakes_are_told_at_once_in_order():
    files = small.changed(EHR, "retention_days", "retention_day")
    files |= {path: small.changed(path, old, new)[path] for path, old, new in (
        (TO_EHR, ":2576", ""), (CEDAR, 'Link::"keep"', 'Link::"kept"'), ("labels.toml", '["PSY"]', '["PSI"]'))}  # fmt: skip
    with pytest.raises(PolicyErrors) as caught:
        load(files)
    places = [error.where for error in caught.value.errors]
    assert {p.rpartition(":")[0] or p for p in places} == {EHR, TO_EHR, CEDAR, "labels.toml", KEEP}
    assert places == sorted(places, key=lambda p: (p.rpartition(":")[0], int(p.rpartition(":")[2])))
    assert f"{len(places) - 1} more" in str(caught.value)


@pytest.mark.parametrize("path", ["links/a.yaml", "notes.txt", "../bundle.toml", "/etc/passwd", "links/deep/a.toml", "links/.hidden.toml", "policies/x.test.cedar.bak"])  # fmt: skip
def test_a_file_nothing_reads_is_refused(path: str):
    with pytest.raises(PolicyErrors, match="nothing reads this file") as caught:
        load(small.files() | {path: b""})
    assert caught.value.errors[0].where == path


@pytest.mark.parametrize("path", ["bundle.toml", "protection.toml", "schema.cedarschema"])
def test_a_missing_file_is_named(path: str):
    files = small.files()
    del files[path]
    with pytest.raises(PolicyErrors) as caught:
        load(files)
    assert (path, "missing") in [(e.where, e.why.split(";")[0]) for e in caught.value.errors]


def test_a_bundle_without_links_is_refused():
    files = {p: c for p, c in small.files().items() if not p.startswith(("links/", "policies/"))}
    with pytest.raises(PolicyErrors, match="no link is declared"):
        load(files)


def test_bytes_that_are_not_text():
    for path in (EHR, CEDAR):
        with pytest.raises(PolicyErrors) as caught:
            load(small.files() | {path: b"# ok\n\xff\xfe = 1\n"})
        assert (f"{path}:2", "not UTF-8; save the file as UTF-8") in [
            (e.where, e.why) for e in caught.value.errors
        ]
    with pytest.raises(PolicyErrors, match="not text"):
        load(small.files() | {EHR: b"a = 1\0"})


def test_limits_of_size_and_count():
    with pytest.raises(PolicyErrors, match="larger than 524288 bytes"):
        load(small.files() | {"links/big.toml": b"#" * 524_289})
    with pytest.raises(PolicyErrors, match="larger than 2097152 bytes in all"):
        load(small.files() | {f"links/big{n}.toml": b"#" * 500_000 for n in range(5)})
    with pytest.raises(PolicyErrors, match="more than 2000 files"):
        load({f"links/a{n}.toml": b"" for n in range(2_001)})


def test_too_many_policies_for_one_link():
    wide = "\n".join(f'@id("w{n}") forbid(principal, action, resource) when {{ false }};' for n in range(130))
    with pytest.raises(PolicyErrors, match="more than 128; scope them"):
        small.with_policy(wide)


def test_a_built_in_profile_is_not_replaced():
    with pytest.raises(PolicyErrors, match="give your own profile another file name"):
        load(small.files() | {"profiles/safe-harbor.toml": b""})
    own = load(small.files() | {"profiles/ours.toml": b'name = "ours"\n'})
    assert own.profiles == {"ours": 'name = "ours"\n'}


def test_deeply_nested_input_does_not_crash():
    with pytest.raises(PolicyErrors):
        load(small.files() | {EHR: b"a = " + b"[" * 100_000})
    with pytest.raises(PolicyErrors):
        load(small.files() | {CEDAR: b'@id("a") permit(principal, action, resource) when { ' + b"(" * 50_000})


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('name = "ours"\nactoins = 1\n', 2, "did you mean `actions`?"),
        ('name = "ours"\n\n[actions]\n"patient.nam" = "keep"\n', 4, "did you mean `patient.name`?"),
        (
            'name = "ours"\n[actions]\nstructure = "keep"\n"patient.name" = "kepe"\n',
            4,
            "did you mean `keep`?",
        ),
        ('name = "theirs"\n', 1, 'write name = "ours"'),
        ('name = "ours"\nuncatalogued = "drop"\n', 2, "write one of remove"),
        ("name = ours\n", 1, "not TOML"),
    ],
)
def test_a_profile_of_the_site_is_checked_with_the_bundle(text: str, line: int, why: str):
    with pytest.raises(PolicyErrors) as caught:
        load(small.files() | {"profiles/ours.toml": text.encode()})
    (error,) = caught.value.errors
    assert error.where == f"profiles/ours.toml:{line}"
    assert why in error.why
