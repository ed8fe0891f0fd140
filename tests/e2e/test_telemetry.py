"""A running site and a collector on loopback: what is exported, and that no planted value is in it."""

from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests import collector
from tests.fhir_wire import Http, device, observation
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

PLANTED = {"name": "Zqplanted^Adalbert", "mrn": "7009123477"}


@pytest.fixture
def far_end():
    far_end = collector.Collector()
    yield far_end
    far_end.close()


def serve(folder, recipient, more=""):
    site = Site.make(folder, fhir="", more=more)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local(), device("hub"))
    return site.start()


def metrics(site) -> bytes:
    with closing(
        HTTPConnection("127.0.0.1", site.status("app")["ports"]["metrics"], timeout=10)
    ) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()


def maps(site, role):
    return Path(f"/proc/{site.status(role)['pid']}/maps").read_text()


def test_what_is_exported_holds_no_value_of_a_message(tmp_path, far_end):
    recipient = Recipient()
    more = f'[telemetry]\nendpoint = "{far_end.address}"\nevery_s = 0.3\ntraces_per_thousand = 1000\n'
    site = serve(tmp_path / "s", recipient, more)
    try:
        with Client(site.port()) as client:
            assert client.send(oru("Zqcontrol1", value="51.52", **PLANTED)) == "AA"
            client.send(oru("Zqcontrol2", value="51.53", **PLANTED).replace(b"PID|", b"Zqplanted|"))
        with Http(site, "hub") as client:
            assert (
                client.post("/fhir/Observation", observation(value=51.54, mrn=PLANTED["mrn"])).status == 201
            )
        site.wait(lambda: len([s for s in far_end.spans() if s.name == "deliver"]) >= 1)
        counted = ("oathward_events", ("event", "message.accepted"), ("role", "gateway"))
        site.wait(lambda: collector.metrics(far_end.bodies("/v1/metrics")[-1]).get(counted, 0) >= 2)
        sent = far_end.everything()
        for planted in (b"Zqplanted", b"ZQPLANTED", b"Adalbert", b"7009123477", b"51.5", b"Zqcontrol"):
            assert planted not in sent
            assert planted not in metrics(site), "nor to Prometheus"
            assert planted not in site.log.read_bytes(), "nor in the log"
        assert b'event="message.accepted"' in metrics(site), "the reverse: what may be told is there"
        assert b"telemetry" in site.log.read_bytes()
        assert b"ehr" in sent, "the reverse: what may be told is found by the same search"
        assert b"Zqplanted" in b"".join(recipient.kept)
        site.wait(lambda: site.status("app").get("telemetry_s"))
        assert site.status("app")["telemetry_trouble"] == ""
        assert "_upb" in maps(site, "app")
    finally:
        site.stop()
        recipient.close()


def test_without_the_setting_nothing_is_sent_or_loaded(tmp_path, far_end, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", far_end.address)
    recipient = Recipient()
    site = serve(tmp_path / "s", recipient)
    try:
        with Client(site.port()) as client:
            assert client.send(oru("1")) == "AA"
        site.wait(lambda: recipient.kept)
        for role in ("app", "gateway", "courier", "keeper"):
            assert "_upb" not in maps(site, role), role
        assert far_end.got == []
    finally:
        site.stop()
        recipient.close()
