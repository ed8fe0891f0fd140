"""OpenTelemetry: nothing loaded unasked, the numbers of Prometheus, spans of the ledger, redaction last."""

import asyncio
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily
from tests import collector
from tests.site import Site

from oathward import ledger
from oathward.app import build
from oathward.app.metrics import Collector as Numbers
from oathward.app.telemetry import otlp, sender
from oathward.app.telemetry.traces import SPANS_A_TURN_MAX, Span, Traces, chosen
from oathward.core.db import write
from oathward.core.errors import SettingsError
from oathward.core.ids import uuid7
from oathward.core.settings import load
from oathward.ledger import Record, prepare

ROOT = Path(__file__).resolve().parents[3]
PLANTED = "Zqplanted^Ada"


@pytest.fixture
def far_end():
    far_end = collector.Collector()
    yield far_end
    far_end.close()


def opened(folder, more=""):
    return build(Site.make(folder, more=more).settings, "app")


@pytest.fixture
def site(tmp_path, far_end):
    more = f'[telemetry]\nendpoint = "{far_end.address}"\ntraces_per_thousand = 1000\n'
    opened_site = opened(tmp_path / "s", more)
    yield opened_site
    opened_site.keeper.close()
    opened_site.engine.dispose()


def record(site, *records):
    with write(site.engine) as db:
        ledger.append(db, site.site, [prepare(one) for one in records])


def turn(site):
    async def once():
        one = sender.Sender(site)
        try:
            return await one.turn()
        finally:
            one._http.close()

    return asyncio.run(once())


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"opentelemetry", "google"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def test_nothing_of_it_is_loaded_unless_asked_for():
    """Every module of ours but the one that writes OTLP can be had without the extra, and loads none of it."""
    names = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "src" / "oathward").rglob("*.py"))
        if path.name != "__main__.py" and path.name != "otlp.py"
    ]
    code = f"{WITHOUT}import importlib\nfor name in {names!r}: importlib.import_module(name)\n"
    code += "assert not [m for m in sys.modules if m.split('.')[0] in ('opentelemetry', 'google')]\n"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_the_process_without_a_collector_loads_no_sender():
    code = "import sys, oathward.app.process\nassert not [m for m in sys.modules if 'telemetry' in m]\n"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_extra_is_no_part_of_base():
    base = (ROOT / "requirements" / "base.txt").read_text()
    assert not re.search(r"^(opentelemetry|protobuf)", base, re.MULTILINE)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = (ROOT / "requirements" / "otel.in").read_text().splitlines()
    assert declared["optional-dependencies"]["otel"] == [line for line in asked if line[:1] != "#"]


def test_a_collector_without_the_extra_is_an_error_that_says_what_to_do(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "oathward.app.telemetry.otlp", None)
    with pytest.raises(SettingsError, match=r"\[telemetry\] endpoint.*oathward\[otel\]"):
        sender.Sender(site)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://collector.example:4318", "https:// unless"),
        ("collector:4318", "must be https"),
        ("https://a b", "must be https"),
        ("https://user:pass@collector", "must be https"),
        ("https://collector/?key=1", "must be https"),
    ],
)
def test_numbers_leave_the_machine_only_encrypted(tmp_path, endpoint, why):
    (tmp_path / "oathward.toml").write_text(f'[telemetry]\nendpoint = "{endpoint}"\n')
    with pytest.raises(SettingsError, match=re.escape("[telemetry] endpoint")) as caught:
        load(tmp_path)
    assert why in caught.value.why


@pytest.mark.parametrize(
    "endpoint", ["https://collector.example", "http://127.0.0.1:4318", "http://[::1]:1/x"]
)
def test_addresses_that_are_right(tmp_path, endpoint):
    (tmp_path / "oathward.toml").write_text(f'[telemetry]\nendpoint = "{endpoint}"\n')
    assert load(tmp_path).telemetry.endpoint == endpoint


def test_the_numbers_are_those_for_prometheus(site, far_end):
    assert turn(site) == ""
    [(path, kind, body)] = far_end.got
    assert (path, kind) == ("/v1/metrics", "application/x-protobuf")
    names = {family.name for family in Numbers(site).collect() if family.samples}
    sent = collector.metrics(body)
    assert {name for name, *_ in sent} == names
    assert sent[("oathward_keeper_answers",)] == 1
    assert sent[("oathward_keys", ("kind", "subjects"))] >= 0


def test_labels_of_the_numbers_are_all_known_to_the_redaction(site):
    labels = {
        label for family in Numbers(site).collect() for sample in family.samples for label in sample.labels
    }
    assert labels
    assert labels <= otlp.LABELS


def family(label, value):
    one = GaugeMetricFamily("oathward_made_up", "x", labels=[label])
    one.add_metric([value], 1.0)
    return one


def test_what_does_not_look_like_a_code_leaves_as_a_mask():
    body = otlp.metrics([family("link", PLANTED)], "s", 1)
    assert PLANTED.encode() not in body
    assert collector.metrics(body) == {("oathward_made_up", ("link", "[phi]")): 1.0}


def test_a_label_nobody_listed_does_not_leave():
    body = otlp.metrics([family("patient", "ada")], "s", 1)
    assert collector.metrics(body) == {("oathward_made_up",): 1.0}


@pytest.mark.parametrize(
    ("guard", "value"), [("_CODE", re.compile(".*")), ("LABELS", frozenset({"patient"}))]
)
def test_without_the_redaction_it_would_leave(monkeypatch, guard, value):
    """The reverse."""
    monkeypatch.setattr(otlp, guard, value)
    label, planted = ("link", PLANTED) if guard == "_CODE" else ("patient", "ada")
    assert planted.encode() in otlp.metrics([family(label, planted)], "s", 1)


def test_a_planted_word_in_a_span_leaves_as_a_mask():
    words = {"link": PLANTED, "subject": "s1", "reason": PLANTED}
    span = Span(b"t" * 16, b"s" * 8, b"", PLANTED, 1, 2, False, words, [(PLANTED, words)])
    body = otlp.traces([span], "s")
    assert PLANTED.encode() not in body
    assert b"s1" not in body


def test_a_message_becomes_a_trace(site, far_end):
    message, came_us = uuid7(1_000_000), 1_000_000_000
    traces = Traces(site, 1000)
    answers = [["ehr", "permit", "OUT1", 0], ["registry", "deny", "consent.none"]]
    sealed = {"id": "OUT1", "sha256": "aa", "tries": 2, "answer": "AA"}
    record(
        site,
        Record("message.accepted", {"answers": answers, "device": "mon-1", "type": "ORU^R01"}, came_us, "s1", ("ehr",), message),
        Record("message.quarantined", {"device": "mon-1", "reason": "guard.stopped", "where": "PID-5"}, came_us, "s1", (), f"{message}.1"),
        Record("message.delivered", sealed, came_us + 5_000, "s1", ("ehr",), message),
        Record("message.released", {"by": "Dana", "reason": "asked Ada", "was": "guard.stopped"}, came_us + 9_000, "", (), message),
        Record("bundle.activated", {}, came_us),
    )  # fmt: skip
    body = otlp.traces(traces.turn(), "s")
    decide, other, deliver, hold = collector.spans(body)
    assert {one.trace_id.hex() for one in (decide, other, deliver, hold)} == {message.replace("-", "")}
    assert [one.name for one in (decide, other, deliver, hold)] == ["decide", "decide", "deliver", "hold"]
    assert decide.parent_span_id == b""
    assert {one.parent_span_id for one in (other, deliver, hold)} == {decide.span_id}
    assert len({one.span_id for one in (decide, other, deliver, hold)}) == 4
    assert [(e.name, collector.words(e.attributes)) for e in decide.events] == [
        ("permit", {"link": "ehr"}),
        ("deny", {"link": "registry", "reason": "consent.none"}),
    ]
    assert deliver.end_time_unix_nano - deliver.start_time_unix_nano == 5_000_000
    assert collector.words(deliver.attributes) == {"link": "ehr", "tries": 2}
    assert collector.words(hold.attributes) == {"reason": "guard.stopped"}
    assert other.status.code == 2
    for secret in (b"Dana", b"Ada", b"mon-1", b"s1", b"PID-5", b"ORU", b"OUT1"):
        assert secret not in body
    assert traces.turn() == [], "each record once"


def test_spans_are_sent_beside_the_numbers(site, far_end):
    async def two_turns():
        one = sender.Sender(site)
        at = Record("message.quarantined", {"reason": "device.unknown"}, 5, "", (), uuid7())
        record(site, at)
        try:
            return await one.turn(), await one.turn()
        finally:
            one._http.close()

    assert asyncio.run(two_turns()) == ("", "")
    assert [path for path, *_ in far_end.got] == ["/v1/metrics", "/v1/traces", "/v1/metrics"]
    [span] = far_end.spans()
    assert collector.words(span.attributes) == {"reason": "device.unknown"}


def test_a_share_of_messages_is_chosen_by_their_ids():
    ids = [bytes(12) + number.to_bytes(4, "big") for number in range(5_000)]
    assert sum(chosen(one, 0) for one in ids) == 0
    assert sum(chosen(one, 100) for one in ids) == 500
    assert sum(chosen(one, 1_000) for one in ids) == 5_000


def test_what_is_looked_at_is_bounded(site, monkeypatch):
    monkeypatch.setattr("oathward.app.telemetry.traces.RECORDS_A_TURN_MAX", 3)
    traces = Traces(site, 1000)
    record(
        site, *(Record("message.quarantined", {"reason": "internal"}, 5, "", (), uuid7()) for _ in range(9))
    )
    assert len(traces.turn()) == 3
    assert SPANS_A_TURN_MAX > 3


def test_spans_that_were_too_many_for_one_turn_are_those_of_the_next(site, monkeypatch):
    monkeypatch.setattr("oathward.app.telemetry.traces.SPANS_A_TURN_MAX", 2)
    monkeypatch.setattr("oathward.app.telemetry.traces._PAGE", 2)
    traces = Traces(site, 1000)
    record(
        site, *(Record("message.quarantined", {"reason": "internal"}, 5, "", (), uuid7()) for _ in range(5))
    )
    turns = [traces.turn() for _ in range(4)]
    assert [len(spans) for spans in turns] == [2, 2, 1, 0]
    assert len({span.trace for spans in turns for span in spans}) == 5


def test_a_collector_that_is_away_or_refuses_is_a_word(site, far_end):
    far_end.status = 503
    assert turn(site) == "answer 503"
    far_end.close()
    assert turn(site) in {"ConnectionRefusedError", "ConnectionResetError"}


def test_no_proxy_of_the_environment_is_asked(site, far_end, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    assert turn(site) == ""
    assert far_end.got


def test_a_certificate_file_that_is_none_is_said(tmp_path):
    site = opened(tmp_path / "s", '[telemetry]\nendpoint = "https://127.0.0.1:9"\nca_file = "none.pem"\n')
    try:
        with pytest.raises(SettingsError, match="ca_file"):
            sender.Sender(site)
    finally:
        site.keeper.close()
        site.engine.dispose()
