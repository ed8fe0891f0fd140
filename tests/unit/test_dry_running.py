"""A dry run over a ledger, compared with what the gateway says when the sealed messages take its path again."""

from collections import Counter
from contextlib import contextmanager

import orjson
import pytest
from tests import fhir as made
from tests.corpus import CORPUS, needs_corpus
from tests.gate import gate_of
from tests.site import LINK, RECIPIENT, Site, bundle, local

from oathward import ledger
from oathward.activation import check
from oathward.cli.main import run as command
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.deid.profile import load_profiles
from oathward.dry_running import dry_run
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Device, Peer
from oathward.vault.keeper.proof import admin_proof

PEER = Peer("127.0.0.1")
HUB = Peer("127.0.0.1", b"\x07" * 32, ())
TLS = '\n[tls]\nca = "ca.pem"\ncertificate = "c.pem"\nkey = "c.key"\nserver_name = "localhost"\n'
ALWAYS_US = 1 << 60
CLOUD = (
    LINK.format(id="cloud")
    .replace('"TREAT"', '"HOPERAT"')
    .replace('classes = ["*"]', 'classes = ["observation.*", "device.type", "structure", "message.time"]')
    .replace('profile = "treatment"', 'profile = "device-telemetry"\nproject = "telemetry"')
    .replace("carries_identity = true\n", "")
    .replace('uncatalogued = "pass"\n', "")
    .replace('indeterminate = "care-team"\n', "")
    .replace('message_types = ["*"]', 'message_types = ["ORU^R01"]')
)
STUDY = (
    CLOUD.replace('"cloud"', '"study"', 1)
    .replace('"HOPERAT"', '"HRESCH"')
    .replace("without_consent = true", "without_consent = false")
    .replace('"observation.*", "device.type"', '"observation.*", "patient.demographic", "device.type"')
    .replace(
        'profile = "device-telemetry"\nproject = "telemetry"', 'profile = "safe-harbor"\nproject = "registry"'
    )
)
"""A link that takes what patients allowed, to the same recipient."""


def hl7(number, *, code="ORU^R01", place="ICU", odd="", sender="MON1"):
    lines = (
        f"MSH|^~\\&|{sender}|W|O|S|20260504081500+0000||{code}|C{uuid7()[-12:]}|P|2.6",
        f"PID|1||{number}^^^HOSP^MR||Ulmen^Ada||19700131|F",
        f"PV1|1|I|{place}^1^A",
        "OBR|1|||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC",
        f"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|{number[-2:]}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R",
        *(["ZPI|1|" + odd] if odd else []),
    )
    return "\r".join(lines).encode() + b"\r"


def before_files():
    files = bundle({"ehr": "mllp://127.0.0.1:9"})
    files["recipients/cloud.toml"] = RECIPIENT.format(id="cloud", address="mllp://127.0.0.1:9").encode()
    files["links/cloud.toml"] = CLOUD.encode()
    files["links/study.toml"] = STUDY.encode()
    files["policies/links.cedar"] += (
        b'@id("study") permit(principal, action == Action::"Disclose", resource == Link::"study");\n'
        b'@id("cloud") permit(principal, action == Action::"Disclose", resource == Link::"cloud");\n'
    )
    return files


def after_files():
    """Classes more and fewer, a type more, a device kind denied, a link more, a limit of confidentiality less."""
    files = before_files()
    cloud = CLOUD.replace('"message.time"', '"message.*"').replace('["ORU^R01"]', '["ORU^R01", "ADT^A08"]')
    files["links/cloud.toml"] = cloud.encode()
    files["links/ehr.toml"] = files["links/ehr.toml"].replace(
        b'confidentiality_max = "V"', b'confidentiality_max = "N"'
    )
    study = STUDY.replace('"patient.demographic", ', '"patient.birth-date", ')
    files["links/study.toml"] = study.encode()
    third = CLOUD.replace('id = "cloud"', 'id = "third"', 1).replace('"device.type", ', "")
    files["links/third.toml"] = third.encode()
    files["policies/links.cedar"] += (
        b'@id("third") permit(principal, action == Action::"Disclose", resource == Link::"third");\n'
    )
    files["policies/no-pumps.cedar"] = (
        b'@id("no-pumps") forbid(principal, action == Action::"Disclose", resource == Link::"cloud") when { context.device_kind == "pump" };\n'
    )
    return files


def messages():
    for n in range(6):
        yield hl7(f"70012345{n:02}")
        yield hl7(f"70012346{n:02}", place="PSY1")
        yield hl7(f"70012347{n:02}", code="ADT^A08")
        yield hl7(f"70012348{n:02}", sender="PMP1")
    yield hl7("7001239999", odd="nobody knows")


def real():
    folder = CORPUS / "hl7v2"
    if folder.is_dir():
        for file in sorted(folder.rglob("*.hl7"))[:150]:
            raw = file.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
            if raw.startswith(b"MSH") and raw.count(b"\rMSH") == 0 and len(raw) < 65_536:
                yield raw


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"))
    site.activate(before_files())
    site.add(local("mon-1", "MON1", authoritative_adt=True), local("pump-1", "PMP1", kind="pump"))
    with gate_of(site) as gate:
        yield site, gate


def take(gate, raws):
    for raw in raws:
        prepared = handle(gate, arrival(raw, gate.now_us()))
        commit_group(gate, [prepared])


def said(site, gate, number, *what):
    """Record what a patient said, at the command line."""
    file = site.folder / "identifier"
    file.write_text(f"{number}^^^HOSP^MR\n")
    order = [
        "consent",
        "record",
        *what,
        "--purpose",
        "HRESCH",
        "--recipient",
        "cloud",
        "--identifier-file",
        str(file),
    ]
    assert command([*order, "--data", str(site.folder)]) == 0
    gate.refresh()


def records(gate):
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            "SELECT body FROM ledger_record WHERE kind = 'message.accepted' ORDER BY idx"
        )
        return [orjson.loads(row[0]) for row in rows]


OPENED = {}


def opened(site, entry):
    """Open the sealed original of one record, as the keeper does for the link that keeps; once, openings are counted."""
    if entry["message"] in OPENED:
        return OPENED[entry["message"]]
    with site.admin() as admin:
        (one,) = admin.keeper.open(entry["subject"], [entry["message"]], "TREAT", admin_proof("test"))
    return OPENED.setdefault(entry["message"], one.data.reveal())


def word(answer):
    return {"permit": "permit", "deny": "deny"}.get(answer[1], "hold")


def left(gate, answers, known, plans):
    """What leaves on each link by the plans that shaped it: classes of the message of which the profile leaves anything."""
    profiles = load_profiles(gate.active_bundle.profiles)
    found = {}
    for link, plan in plans.items():
        row = orjson.loads(plan)
        actions = {cls for cls, action in profiles[row["profile"]].actions if action != "remove"}
        classes = set(row["classes"]) & set(known["classes_present"])
        one = gate.active_bundle.links[link]
        care = {"uncatalogued"} if one.for_care and one.uncatalogued == "pass" else set()
        found[link] = classes & ((actions - {"uncatalogued"} if one.for_care else actions) | care)
    return found


def arrival(raw, at_us):
    """How a message came: what a request begins with is FHIR."""
    return (
        Arrival(uuid7(), raw, PEER, at_us)
        if raw.startswith(b"MSH")
        else Arrival(uuid7(), raw, HUB, at_us, FHIR)
    )


def again(gate, entry, raw):
    """Take a message through the path without storing it: answers and what leaves, by link."""
    prepared = handle(gate, arrival(raw, entry["at"]))
    for resolution in prepared.resolutions:
        gate.resolver.rolled_back(resolution)
    accepted = [leaf.record.body for leaf in prepared.leaves if leaf.record.kind == "message.accepted"]
    (body,) = accepted
    known = orjson.loads(prepared.facts[bytes.fromhex(body["facts"][0])])
    plans = {one.row.link: prepared.facts[one.row.plan] for one in prepared.outgoing}
    return {a[0]: word(a) for a in body["answers"]}, left(gate, body["answers"], known, plans)


@contextmanager
def under(site, gate, files):
    site.activate(files)
    gate.refresh()
    try:
        yield
    finally:
        site.activate(before_files())
        gate.refresh()


def both(site, gate, entries, raws):
    """What a real replay under each of the bundles gives."""
    old = [again(gate, entry, raw) for entry, raw in zip(entries, raws, strict=True)]
    with under(site, gate, after_files()):
        return old, [again(gate, entry, raw) for entry, raw in zip(entries, raws, strict=True)]


def otherwise(old, new, without=frozenset()):
    """Newly denied, allowed and held, and classes, by link, of one message."""
    (was, gave), (would, gives) = old, new
    sums = Counter()
    for link in {*was, *would} - without:
        a, b = was.get(link, "none"), would.get(link, "none")
        if a != b:
            kind = "newly_allowed" if b == "permit" else "newly_held" if b == "hold" else "newly_denied" if a == "permit" else "no_longer_held"  # fmt: skip
            sums[link, kind] += 1
        for cls in gives.get(link, set()) - gave.get(link, set()):
            sums[link, "+" + cls] += 1
        for cls in gave.get(link, set()) - gives.get(link, set()):
            sums[link, "-" + cls] += 1
    return sums


def replayed(site, gate, entries, raws):
    """What is otherwise by a real replay under both bundles."""
    return sum((otherwise(*one) for one in zip(*both(site, gate, entries, raws), strict=True)), Counter())


def told(run):
    sums = Counter()
    for link in run.links:
        for kind in ("newly_allowed", "newly_denied", "newly_held", "no_longer_held"):
            sums[link.link, kind] += link.counts.get(kind, 0)
        for cls, count in link.more.items():
            sums[link.link, "+" + cls] += count
        for cls, count in link.less.items():
            sums[link.link, "-" + cls] += count
    return +sums


def ran(gate, files=None, **more):
    return dry_run(
        gate.engine,
        gate.site,
        check(before_files()),
        check(files or after_files()),
        since_us=0,
        until_us=ALWAYS_US,
        **more,
    )


def decided_ones(gate):
    return [
        e
        for e in records(gate)
        if "release" not in e["body"] and any(a[0] == "keep" for a in e["body"]["answers"])
    ]


def compared(site, gate):
    entries = decided_ones(gate)
    raws = [opened(site, entry) for entry in entries]
    run = ran(gate)
    assert run.undecided == 0, run.causes
    assert run.decisions == len(entries)
    return run, replayed(site, gate, entries, raws)


def test_it_says_what_a_replay_of_the_sealed_messages_says(world):
    site, gate = world
    for number in ("7001234500", "7001234501", "7001234502"):
        said(site, gate, number, "--permit", "--class", "*")
    said(site, gate, "7001234501", "--deny", "--class", "patient.*")
    said(site, gate, "7001234502", "--deny", "--class", "*")
    take(gate, messages())
    run, replay = compared(site, gate)
    assert told(run) == replay
    assert {link for link, _ in replay} == {"cloud", "ehr", "study", "third"}
    assert {"newly_allowed", "newly_denied"} <= {kind for _, kind in replay}
    assert replay["cloud", "+message.party"] > replay["cloud", "newly_allowed"], (
        "of what left before, more leaves"
    )
    (pumps,) = (link.kinds["pump"] for link in run.links if link.link == "cloud")
    assert pumps == {"newly_denied": 6, "classes_less": 6}
    study = next(link for link in run.links if link.link == "study")
    assert study.counts == {"classes_more": 1, "classes_less": 1}, (
        "of one who allowed it, and denied nothing of it"
    )
    assert (study.more, study.less, study.subjects) == (
        {"patient.birth-date": 1},
        {"patient.demographic": 1},
        1,
    )
    ehr = next(link for link in run.links if link.link == "ehr")
    assert (ehr.counts["newly_denied"], ehr.subjects) == (6, 6)
    assert run.changed + run.unchanged == run.decisions


# --- the same of FHIR


def speaks_fhir(files):
    """The same bundle for recipients that speak FHIR, and its links for what comes so."""
    found = dict(files)
    for name in ("ehr", "cloud"):
        text = RECIPIENT.format(id=name, address="https://localhost:9/fhir") + TLS
        found[f"recipients/{name}.toml"] = text.encode()
    for path in [path for path in found if path.startswith("links/")]:
        found[path] = (
            found[path]
            .replace(b'["ORU^R01"]', b'["FHIR^Observation"]')
            .replace(b'["ORU^R01", "ADT^A08"]', b'["FHIR^Observation", "FHIR^Bundle"]')
        )
    found["links/study.toml"] = found["links/study.toml"].replace(b'"FHIR^Observation"', b'"FHIR^*"')
    return found


def fhir_messages(value=120):
    """Observations, a Patient, an Encounter, transactions; some with what nobody catalogued, some confidential."""
    for n in range(6):
        number = f"81{n:02}"
        who = {"identifier": made.identifier(number, system="urn:oid:1.2.3.4")}
        parts = [made.component("8480-6", value), made.component("8462-4", 80)]
        vital = made.observation(subject=who, component=parts)
        yield made.raw(vital)
        sensitive = {
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]
        }
        yield made.raw(made.changed(vital, meta=sensitive))
        yield made.raw(made.changed(vital, extension=[{"url": "urn:x:odd", "valueString": "nobody knows"}]))
        person = made.patient(f"p{n}", number, identifier=[made.identifier(number, system="urn:oid:1.2.3.4")])
        yield made.raw(person)
        linked = made.changed(vital, subject={"reference": made.urn(n)}, note=[{"text": "seen by Ada"}])
        yield made.raw(
            made.bundle(
                made.entry(person, full_url=made.urn(n)), made.entry(linked, full_url=made.urn(50 + n))
            )
        )
        yield made.raw(
            {
                "resourceType": "Encounter",
                "status": "in-progress",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "identifier": [{"system": "urn:oid:1.2.3.9", "value": f"V{number}"}],
                "subject": who,
            }
        )


@pytest.fixture(scope="module")
def fhir_world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("f"))
    site.activate(speaks_fhir(before_files()))
    certificates = frozenset({HUB.cert_sha256.hex()})
    hub = {
        "kind": "hub",
        "default_authority": "HOSP",
        "authoritative_adt": True,
        "certificates": certificates,
    }
    site.add(Device(id="hub", **hub))
    with gate_of(site) as gate:
        yield site, gate


@contextmanager
def of_fhir(monkeypatch):
    """Let the helpers above compare these bundles."""
    before, after = before_files, after_files
    monkeypatch.setitem(globals(), "before_files", lambda: speaks_fhir(before()))
    monkeypatch.setitem(globals(), "after_files", lambda: speaks_fhir(after()))
    yield


def fhir_said(site, gate, number, *what):
    file = site.folder / "identifier"
    file.write_text(f"{number}^^^1.2.3.4&1.2.3.4&ISO^MR\n")
    order = ["consent", "record", *what, "--purpose", "HRESCH", "--recipient", "cloud"]
    assert command([*order, "--identifier-file", str(file), "--data", str(site.folder)]) == 0
    gate.refresh()


def test_it_says_what_a_replay_of_fhir_messages_says(fhir_world, monkeypatch):
    site, gate = fhir_world
    for number in ("8100", "8101"):
        fhir_said(site, gate, number, "--permit", "--class", "*")
    fhir_said(site, gate, "8101", "--deny", "--class", "patient.*")
    take(gate, (*fhir_messages(), *fhir_messages(130)))
    with of_fhir(monkeypatch):
        run, replay = compared(site, gate)
    assert told(run) == replay
    assert run.decisions >= 40
    assert {link for link, _ in replay} == {"cloud", "ehr", "study", "third"}
    assert {"newly_allowed", "newly_denied"} <= {kind for _, kind in replay}


@needs_corpus
@pytest.mark.long  # made-up ones are replayed above, in each of its answers
def test_it_says_what_a_replay_of_real_fhir_messages_says(fhir_world, monkeypatch):
    site, gate = fhir_world
    files = sorted((CORPUS / "fhir").rglob("*.json"))
    raws = []
    for file in files:
        one = orjson.loads(file.read_bytes())
        if isinstance(one, dict) and one.get("resourceType") in {
            "Observation",
            "Patient",
            "Encounter",
            "Condition",
        }:
            raws.append(made.raw(one))
    assert raws
    take(gate, raws[:150])
    with of_fhir(monkeypatch):
        entries = decided_ones(gate)
        run = ran(gate)
        nothing = [any("decision.nothing-left" in a for a in e["body"]["answers"]) for e in entries]
        old, new = both(site, gate, entries, [opened(site, entry) for entry in entries])
    assert any(nothing)
    assert not all(nothing)
    assert run.decisions == len(entries)
    sums = Counter()
    for was, would, empty in zip(old, new, nothing, strict=True):
        sums += otherwise(was, would, without={"third"} if empty else set())
    assert told(run) == sums
    unsure = sum(empty and "third" in answers for empty, (answers, _) in zip(nothing, new, strict=True))
    assert unsure > 0
    assert run.causes == {"message": unsure}, "newly on a link, and nothing was left of it elsewhere"


@needs_corpus
@pytest.mark.long  # the sealed ones above are of the same kinds
def test_it_says_what_a_replay_of_real_messages_says(world):
    site, gate = world
    raws = [raw.replace(raw.split(b"|")[2], b"MON1", 1) for raw in real()]
    assert raws
    take(gate, raws)
    run, replay = compared(site, gate)
    assert run.decisions > 60, "most real messages come to a decision"
    assert told(run) == replay


def test_the_comparison_would_see_a_dry_run_that_is_wrong(world, monkeypatch):
    """Reverse: a dry run that takes every class to be in every message no longer says what the replay says."""
    site, gate = world
    if not records(gate):
        take(gate, messages())
    monkeypatch.setattr("oathward.policy.dry_run._present", lambda permit, _facts: permit)
    run, replay = compared(site, gate)
    assert told(run) != replay


class TestUndecided:
    """What is gone or odd in the ledger is said to be undecided, never unchanged."""

    @pytest.fixture
    def fresh(self, tmp_path):
        site = Site.make(tmp_path)
        site.activate(before_files())
        site.add(local("mon-1", "MON1", authoritative_adt=True), local("pump-1", "PMP1", kind="pump"))
        with gate_of(site) as gate:
            take(gate, [hl7("7001234501"), hl7("7001234501"), hl7("7001234502", sender="PMP1")])
            yield site, gate

    def digest(self, gate, device):
        return next(
            bytes.fromhex(e["body"]["facts"][0]) for e in records(gate) if e["body"]["device"] == device
        )

    def change(self, gate, sql, *values):
        with write(gate.engine) as db:
            db.exec_driver_sql(sql, values)

    def test_nothing_is_undecided_by_itself(self, fresh):
        run = ran(fresh[1])
        assert (run.decisions, run.undecided, run.causes, run.older) == (3, 0, {}, 0)

    def test_removed_facts(self, fresh):
        _, gate = fresh
        with write(gate.engine) as db:
            ledger.remove_facts(db, gate.site, [self.digest(gate, "mon-1")], "test", 1)
        run = ran(gate)
        assert (run.undecided, run.causes) == (2, {"removed": 2})
        assert run.unchanged + run.changed == 1

    def test_facts_that_are_not_there(self, fresh):
        _, gate = fresh
        self.change(gate, "DELETE FROM ledger_facts WHERE digest = ?", self.digest(gate, "pump-1"))
        assert ran(gate).causes == {"facts": 1}

    def test_facts_of_another_version(self, fresh):
        _, gate = fresh
        digest = self.digest(gate, "pump-1")
        with read(gate.engine) as db:
            body = ledger.facts(db, gate.site, digest).replace(b'"version":2', b'"version":9')
        self.change(gate, "UPDATE ledger_facts SET body = ? WHERE digest = ?", body, digest)
        assert ran(gate).causes == {"version": 1}

    def test_removed_records_are_counted_apart(self, fresh):
        _, gate = fresh
        with read(gate.engine) as db:
            (index,) = db.exec_driver_sql(
                "SELECT MIN(idx) FROM ledger_record WHERE kind = 'message.accepted'"
            ).one()
        with write(gate.engine) as db:
            ledger.remove_body(db, gate.site, index, "test", 1)
        run = ran(gate)
        assert (run.decisions, run.removed_records) == (2, 1)

    def test_a_patient_who_has_said_something_since_is_not_unchanged(self, fresh):
        _, gate = fresh
        entry = next(e for e in records(gate) if e["body"]["device"] == "mon-1")
        self.change(
            gate,
            "INSERT INTO consent_fact (site, subject, version, body, signature, at_us) VALUES (?, ?, 1, ?, ?, ?)",
            *(gate.site, entry["subject"], b"", b"", entry["at"] + 10**12),
        )
        run = ran(gate, before_files())
        assert (run.changed, run.moved_on, run.unchanged) == (0, 2, 1)

    def test_what_was_decided_under_an_older_bundle_is_said(self, fresh):
        site, gate = fresh
        with under(site, gate, after_files()):
            take(gate, [hl7("7001234503", sender="PMP1")])
            run = ran(gate)
        assert run.older == 1
        assert run.otherwise_then == {"cloud": 1, "third": 1}

    def test_time_bounds_both_ends(self, fresh):
        _, gate = fresh
        times = sorted(e["at"] for e in records(gate))
        found = dry_run(
            gate.engine,
            gate.site,
            check(before_files()),
            check(after_files()),
            since_us=times[1],
            until_us=times[2],
        )
        assert found.decisions == 1

    def test_blocks_make_no_difference(self, fresh, monkeypatch):
        _, gate = fresh
        whole = ran(gate)
        monkeypatch.setattr("oathward.dry_running._BLOCK", 2)
        assert ran(gate).body() == whole.body()

    def test_it_can_be_ended(self, fresh):
        told_ = []
        with pytest.raises(InputError) as error:
            ran(fresh[1], progress=lambda done, total: told_.append((done, total)) or False)
        assert error.value.reason.code == "conflict"
        assert told_[0][0] == 0 < told_[0][1]

    def test_the_command_says_it(self, fresh, tmp_path, capsys):
        site, _ = fresh
        folder = tmp_path / "bundle"
        for path, content in after_files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        assert command(["policy", "dry-run", str(folder), "--days", "3", "--data", str(site.folder)]) == 0
        said = capsys.readouterr().out
        assert (
            "3 recorded decisions: 3 come out differently, 0 the same, 0 (0 %) could not be decided again."
            in said
        )
        assert "newly leaves: message.party" in said
        assert command(["policy", "dry-run", str(folder), "--data", str(site.folder), "--json"]) == 0
        value = orjson.loads(capsys.readouterr().out)
        assert value["decisions"] == 3
        assert command(["policy", "dry-run", str(folder), "--days", "0", "--data", str(site.folder)]) == 2
