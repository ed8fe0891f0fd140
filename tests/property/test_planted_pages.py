"""A planted identifier stands on no page of the console, in no number and no exported span, whichever wire it came by.

Every address a page has is asked for, with the ids that the planted messages left; which those are is a table that has a
row for each route, or a test is red.
"""

import html
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from starlette.testclient import TestClient
from tests.property import test_planted, test_planted_fhir
from tests.property.test_planted import numbers, words
from tests.unit.web.viewers import console_of, viewer

from oathward import ledger
from oathward.app import build
from oathward.app.metrics import Collector
from oathward.app.telemetry import otlp
from oathward.app.telemetry.traces import Traces
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.inventory import views as inventory
from oathward.inventory.model import Peer
from oathward.messages import sql as rows
from oathward.messages.model import HeldRow
from oathward.vault.keeper import client as keepers
from oathward.vault.keeper.proof import admin_proof
from oathward.web import standing
from oathward.web.frame import create
from oathward.web.page import pages

world = test_planted_fhir.world
BASE = "http://127.0.0.1:2579"
STRANGER = Peer("10.7.7.7", b"\x09" * 32, ())
EXAMPLES = 4
"""Each asks for thirty pages; the nightly run has its own number."""

SAMPLES = ("", "?said=yes&wire=fhir", "?said=yes&wire=hl7v2", "?said=no")
VISITS = {
    "/": lambda left: ["/"],
    "/messages": lambda left: ["/messages", "/messages?state=held", "/messages?device=hub", "/messages?type=ORU%5ER01"],
    "/messages/new": lambda left: ["/messages/new", "/messages/new?state=held"],
    "/messages/{message}": lambda left: [f"/messages/{id_}" for id_ in left.messages],
    "/ledger": lambda left: ["/ledger", "/ledger?link=registry", *(f"/ledger?message={id_}" for id_ in left.messages)],
    "/ledger/progress": lambda left: ["/ledger/progress"],
    "/ledger/{index}": lambda left: [f"/ledger/{index}" for index in left.records],
    "/ledger/{index}/proof": lambda left: [f"/ledger/{index}/proof" for index in left.records[:2]],
    "/inventory": lambda left: ["/inventory", "/inventory?show=undeclared&search=hub"],
    "/inventory/{endpoint}": lambda left: ["/inventory/none"],
    "/sources": lambda left: ["/sources"],
    "/flows": lambda left: ["/flows", "/flows?service=hl7&clear=yes"],
    "/rules": lambda left: ["/rules"],
    "/views": lambda left: ["/views"],
    "/devices": lambda left: ["/devices", "/devices?id=hub"],
    "/devices/unknown": lambda left: ["/devices/unknown"],
    "/devices/unknown/{held}": lambda left: [f"/devices/unknown/{id_}" for id_ in left.held],
    "/devices/{device}": lambda left: ["/devices/hub"],
    "/quarantine": lambda left: ["/quarantine", "/quarantine?state=any", *(f"/quarantine?reason={r}" for r in left.reasons)],
    "/quarantine/new": lambda left: ["/quarantine/new"],
    "/quarantine/releases/{order}": lambda left: [f"/quarantine/releases/{order}" for order in left.orders],
    "/quarantine/releases/{order}/yet": lambda left: [f"/quarantine/releases/{order}/yet" for order in left.orders],
    "/accesses": lambda left: ["/accesses", "/accesses?state=reviewed", "/accesses?state=overdue"],
    "/accesses/{opening}": lambda left: [f"/accesses/{index}" for index in left.records[:2]],
    "/merges": lambda left: ["/merges"],
    "/merges/{edge}": lambda left: ["/merges/none"],
    "/wrong-patient": lambda left: ["/wrong-patient", "/wrong-patient?state=settled"],
    "/wrong-patient/{disclosure}": lambda left: ["/wrong-patient/none"],
    "/findings": lambda left: ["/findings", "/findings?state=any", "/findings?owner=me&overdue=yes"],
    "/findings/{finding}": lambda left: ["/findings/none"],
    "/deid": lambda left: ["/deid", "/deid?state=stopped"],
    "/deid/{job}": lambda left: ["/deid/none"],
    "/uploads": lambda left: ["/uploads", "/uploads?state=ended", "/uploads?answer=denied"],
    "/uploads.csv": lambda left: ["/uploads.csv"],
    "/emergency": lambda left: ["/emergency"],
    "/break-glass": lambda left: ["/break-glass"],
    "/break-glass/{glass}": lambda left: ["/break-glass/none"],
    "/reports": lambda left: ["/reports", "/reports?state=all"],
    "/reports/{report}": lambda left: ["/reports/none"],
    "/explain": lambda left: ["/explain"],
    "/explain/find": lambda left: ["/explain/find"],
    "/profiles": lambda left: ["/profiles"],
    "/profiles/{profile}": lambda left: ["/profiles/research"],
    "/profiles/{profile}/example": lambda left: ["/profiles/research/example"],
    "/reidentify": lambda left: ["/reidentify", "/reidentify?state=all"],
    "/trace": lambda left: ["/trace"],
    "/trace/find": lambda left: ["/trace/find"],
    "/explain/{subject}": lambda left: [f"/explain/{one}" for one in sorted(left.subjects)],
    "/consents": lambda left: ["/consents", *(f"/consents?state={state}" for state in ("stands", "contradictory", "merged"))],
    "/consents/arrived": lambda left: ["/consents/arrived"],
    "/consents/find": lambda left: ["/consents/find"],
    "/consents/{subject}": lambda left: [f"/consents/{one}" for one in sorted(left.subjects)],
    "/consents/{subject}/fhir": lambda left: [f"/consents/{one}/fhir?edition=r5" for one in sorted(left.subjects)],
    "/withdrawals": lambda left: ["/withdrawals", "/withdrawals?state=unheard", "/withdrawals?link=registry"],
    "/withdrawals/notices": lambda left: ["/withdrawals/notices", "/withdrawals/notices?state=missing"],
    "/withdrawals/{subject}/{version}": lambda left: [f"/withdrawals/{one}/1" for one in sorted(left.subjects)],
    "/deliveries": lambda left: ["/deliveries", "/deliveries?link=registry", "/deliveries?state=pending"],
    "/connections": lambda left: ["/connections", "/connections?role=processor"],
    "/connections/{connection}": lambda left: ["/connections/none"],
    "/map": lambda left: ["/map", "/map?list=undeclared&days=7"],
    "/map.svg": lambda left: ["/map.svg"],
    "/links": lambda left: ["/links"],
    "/links/{link}": lambda left: [f"/links/{link}{said}" for link in ("ehr", "registry", "keep") for said in SAMPLES],
    "/health": lambda left: ["/health"],
    "/people": lambda left: ["/people", *(f"/people?find={id_}" for id_ in left.messages[:1])],
    "/people/{person}": lambda left: [f"/people/{id_}" for id_ in left.messages[:1]],
    "/people-review": lambda left: ["/people-review"],
    "/people-services": lambda left: ["/people-services"],
    "/people-waiting": lambda left: ["/people-waiting"],
    "/account": lambda left: ["/account"],
    "/account/app": lambda left: ["/account/app"],
    "/account/app/code": lambda left: ["/account/app/code"],
    "/account/factors/remove": lambda left: ["/account/factors/remove"],
    "/account/notices/away": lambda left: ["/account/notices/away"],
    "/account/passkey": lambda left: ["/account/passkey"],
    "/account/password": lambda left: ["/account/password"],
    "/account/sessions/end": lambda left: ["/account/sessions/end"],
    "/step-up": lambda left: ["/step-up"],
    "/governance": lambda left: ["/governance"],
    "/governance/new": lambda left: ["/governance/new"],
    "/governance/agreements": lambda left: ["/governance/agreements"],
    "/governance/agreements/{agreement}": lambda left: ["/governance/agreements/none"],
    "/governance/assessments": lambda left: ["/governance/assessments"],
    "/governance/findings": lambda left: ["/governance/findings"],
    "/governance/papers/{digest}": lambda left: ["/governance/papers/none"],
    "/governance/processing": lambda left: ["/governance/processing"],
    "/governance/processing.csv": lambda left: ["/governance/processing.csv"],
    "/governance/processing.html": lambda left: ["/governance/processing.html"],
    "/governance/quality": lambda left: ["/governance/quality"],
    "/governance/{kind}/{id}": lambda left: ["/governance/link/registry", "/governance/recipient/ehr"],
    "/messages/{message}/content": lambda left: [f"/messages/{id_}/content" for id_ in left.messages],
    "/openings": lambda left: ["/openings"],
    "/patients": lambda left: ["/patients"],
    "/patients/find": lambda left: ["/patients/find"],
    "/patients/names": lambda left: ["/patients/names"],
    "/patients/{subject}": lambda left: [f"/patients/{one}" for one in sorted(left.subjects)],
    "/patients/{subject}/glass": lambda left: [f"/patients/{one}/glass" for one in sorted(left.subjects)],
    "/patients/{subject}/still": lambda left: [f"/patients/{one}/still" for one in sorted(left.subjects)],
    "/portal-access": lambda left: ["/portal-access"],
    "/portal-access/find": lambda left: ["/portal-access/find"],
    "/portal-access/{subject}": lambda left: [f"/portal-access/{one}" for one in sorted(left.subjects)],
    "/portal-access/{subject}/invite": lambda left: [f"/portal-access/{one}/invite" for one in sorted(left.subjects)],
    "/policies": lambda left: ["/policies"],
    "/policies/edit": lambda left: ["/policies/edit"],
    "/policies/back": lambda left: ["/policies/back"],
    "/policies/edit/emergency": lambda left: ["/policies/edit/emergency"],
    "/policies/edit/propose": lambda left: ["/policies/edit/propose"],
    "/policies/edit/save": lambda left: ["/policies/edit/save"],
    "/policies/edit/start-over": lambda left: ["/policies/edit/start-over"],
    "/policies/proposals": lambda left: ["/policies/proposals"],
    "/policies/proposals/{proposal}": lambda left: ["/policies/proposals/none"],
    "/policies/proposals/{proposal}/attached/{digest}": lambda left: ["/policies/proposals/none/attached/none"],
    "/policies/proposals/{proposal}/yet": lambda left: ["/policies/proposals/none/yet"],
    "/policies/review": lambda left: ["/policies/review"],
    "/policies/review/{finding}": lambda left: ["/policies/review/none"],
}  # fmt: skip
ASKS_THE_KEEPER = {"/openings", "/people-waiting", "/step-up", "/account"}
"""Of sessions that stand for a role here, and that the keeper does not know."""
ROLES = (Role.PRIVACY_OFFICER, Role.AUDITOR, Role.SECURITY_ANALYST, Role.INTEGRATION_ENGINEER, Role.CLINICIAN, Role.ADMINISTRATOR)  # fmt: skip


@dataclass
class Left:
    """What planted messages left, by the ids that pages show it under."""

    messages: list[str] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    held: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def app(world):
    """The process that has the pages, over the same site."""
    site, _ = world
    opened = build(site.settings, "app")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()


@pytest.fixture(scope="module")
def console(world, app):
    """A person's browser, signed in."""
    site, _ = world
    with keepers.connect(site.settings, "admin") as admin:
        key = admin.session_invite(admin_proof("ada"), acts=True)
    with TestClient(create(app), base_url=BASE, raise_server_exceptions=False) as client:
        done = client.post("/sign-in", data={"key": key, "next": "/"}, headers={"origin": BASE})
        assert done.status_code == 200, done.text
        yield client


def planted(places, word, number, key, code, broken):
    """One set of places in both wires' messages, by a known device and by a stranger; whole and broken."""
    mine = {p for p in places if p in test_planted.WHERE} | {"PID-3"}
    theirs = {p for p in places if p in test_planted_fhir.PLACES} or {"name.family"}
    hl7 = test_planted.message(mine, word, number, key, code)
    fhir = test_planted_fhir.request(theirs, word, number, key)
    cut = fhir[: len(fhir) * 2 // 3]
    return [
        (hl7, HL7V2, test_planted_fhir.HUB),
        (hl7.replace(broken, b"X", 1), HL7V2, test_planted_fhir.HUB),
        (hl7, HL7V2, STRANGER),
        (fhir, FHIR, test_planted_fhir.HUB),
        (cut, FHIR, test_planted_fhir.HUB),
        (fhir, FHIR, STRANGER),
    ]


def leave(gate, app, made) -> Left:
    """Take the messages in; say what they left."""
    left = Left()
    with read(gate.engine) as db:
        before = ledger.head(db, gate.site).size
    for raw, wire, peer in made:
        prepared = handle(gate, Arrival(uuid7(), raw, peer, gate.now_us(), wire))
        commit_group(gate, [prepared])
        left.messages.append(prepared.arrival.id)
        left.subjects.add(prepared.message.subject)
        if prepared.held is not None:
            left.reasons.add(prepared.held.reason)
    with read(app.engine) as db:
        left.records = list(range(before, ledger.head(db, app.site).size))
        left.held = [one.id for one in inventory.unknown(db, app.site)]
    return left


def visit(console, left, routes=None, *, answered=None) -> dict[str, str]:
    """Ask for every address; give what was answered, headers too."""
    standing._kept.clear()
    found = {}
    for route, addresses in VISITS.items():
        for address in addresses(left) if routes is None or route in routes else ():
            answer = console.get(address, follow_redirects=False)
            assert answer.status_code < 500, address
            if answered is not None and answer.status_code == 200:
                answered.add(address)
            found[address] = html.unescape(answer.text) + str(answer.headers)
    return found


def said_elsewhere(app, traces) -> bytes:
    """What Prometheus is told, and a collector."""
    registry = CollectorRegistry()
    registry.register(Collector(app))
    numbers_ = otlp.metrics(Collector(app).collect(), app.site, 1)
    return generate_latest(registry) + numbers_ + otlp.traces(traces.turn(), app.site)


def test_every_route_is_visited():
    asked = {r.path for page in pages() for r in page.routes if r.method == "GET" and not r.public}
    assert set(VISITS) == asked


@settings(
    max_examples=EXAMPLES if settings.default.max_examples < 1_000 else 200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    places=st.sets(st.sampled_from(sorted({*test_planted.WHERE, *test_planted_fhir.PLACES})), min_size=4, max_size=16),
    word=words,
    number=numbers,
    key=st.integers(0, 10**9 - 1),
    code=st.sampled_from(["ORU^R01^ORU_R01", "ADT^A08^ADT_A01", "ORU^R40^ORU_R40"]),
    broken=st.sampled_from([b"MSH", b"PID|", b"OBX|"]),
)  # fmt: skip
def test_no_page_and_no_number_says_it(world, app, console, places, word, number, key, code, broken):
    _, gate = world
    traces = Traces(app, 1_000)
    left = leave(gate, app, planted(places, word, number, key, code, broken))
    found = visit(console, left)
    secrets = [word.upper(), number]
    assert [a for a, text in found.items() if any(s in text.upper() for s in secrets)] == []
    elsewhere = said_elsewhere(app, traces).upper()
    assert not [s for s in secrets if s.encode() in elsewhere]
    for id_ in left.messages:
        assert id_ in found[f"/messages/{id_}"], "the page is about it"


def test_nor_does_a_page_of_any_role(world, app, monkeypatch):
    """Who opens a message or a patient shows who they care for first; until then nobody's page says it, nor the API."""
    _, gate = world
    word, number = "Zqbcdfghjk", "7009123478"
    places = {"PID-5", "PID-3", "name.family", "identifier"}
    left = leave(gate, app, planted(places, word, number, 7, "ADT^A08^ADT_A01", b"MSH"))
    seen = set()
    served, _ = console_of(app, monkeypatch)
    for role in ROLES:
        found = visit(viewer(served, role), left, set(VISITS) - ASKS_THE_KEEPER, answered=seen)
        assert [a for a, text in found.items() if word.upper() in text.upper() or number in text] == [], role
    opened = {
        "/patients",
        "/policies",
        "/policies/edit",
        "/policies/review",
        "/governance",
        "/governance/quality",
    }
    opened |= {
        "/governance/processing.csv",
        "/governance/processing.html",
        "/governance/findings",
        "/messages",
    }
    assert opened <= seen, "somebody may look at each"


def test_nor_does_a_page_of_what_people_do_with_it(world, app, console):
    """Releasing, giving up, adopting: what is asked for, what is answered, what an error says."""
    _, gate = world
    word, number = "Zqbcdfghjk", "7009123478"
    made = planted(
        {"PID-5", "PID-3", "name.family", "identifier"}, word, number, 5, "ORU^R01^ORU_R01", b"MSH"
    )
    left = leave(gate, app, made)
    token = console.get("/").text.partition('name="token" value="')[2].partition('"')[0]
    form = {"token": token, "reason": "to see", "message": left.messages[2]}

    def post(path, **more):
        return console.post(path, data=form | more, headers={"origin": BASE}, follow_redirects=False)

    ordered = post("/quarantine/release")
    assert ordered.status_code == 303
    left.orders.append(ordered.headers["location"].rpartition("/")[2])
    texts = list(
        visit(console, left, {"/quarantine/releases/{order}", "/quarantine/releases/{order}/yet"}).values()
    )
    assert len(texts) == 2
    texts += [
        answer.text + str(answer.headers)
        for answer in (
            post("/quarantine/discard"),
            post("/quarantine/discard", sure="yes"),
            post(f"/messages/{left.messages[0]}/deliveries", act="retry", delivery="none"),
            post(f"/devices/unknown/{left.held[0]}", id="x", kind="pump"),
            post(f"/devices/unknown/{left.held[0]}/dismiss"),
            post("/ledger/verify"),
            console.get("/no-such-page"),
        )
    ]
    assert [text for text in texts if word in text or number in text] == []


def test_a_place_that_held_a_value_would_be_found(world, app, console):
    """The reverse: where something else than a place is written down as one, pages and this test say it."""
    _, gate = world
    held = HeldRow(uuid7(), gate.site, gate.now_us(), "", "10.7.7.7 -", "device.unknown", "Zqbcdfghjk", "")
    with write(gate.engine) as db:
        rows.insert_held(db, [held])
    found = visit(console, Left([held.message], reasons={"device.unknown"}))
    said = [address for address, text in found.items() if "Zqbcdfghjk" in text]
    assert {f"/messages/{held.message}", "/quarantine", "/quarantine?reason=device.unknown"} <= set(said)


def test_what_stands_on_a_page_is_found_by_the_same_visit(world, app, console):
    """The reverse: the device's name, which a page may say, is found on each page that says it."""
    _, gate = world
    left = leave(
        gate,
        app,
        planted({"PID-5", "PID-3"}, "Zqbcdfghjk", "7009123478", 10**9 + 6, "ORU^R01^ORU_R01", b"MSH"),
    )
    found = visit(console, left)
    with read(app.engine) as db:
        states = [rows.message_row(db, id_).state for id_ in left.messages]
    assert states == ["accepted", "held", "held", "accepted", "held", "held"], "of both wires"
    naming = [address for address, text in found.items() if "hub" in text]
    for address in ("/messages", "/devices", "/devices/hub", "/deliveries", f"/messages/{left.messages[0]}"):
        assert address in naming
    assert any(address.startswith("/ledger/") for address in naming)
