"""A canary record: its own message is a finding on care links, and stops on every other."""

from tests.property.test_planted import ALLOW, TELEMETRY
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

ADT = (
    b"MSH|^~\\&|ADT|H|OATHWARD|S|20260504||ADT^A04^ADT_A01|%s|P|2.6\r"
    b"EVN|A04|20260504\rPID|1||%s^^^HOSP^MR||%s||19700131|F\rPV1|1|O\r"
)


def test_a_canary_that_is_about_to_leave_is_noticed(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    files = bundle({"ehr": recipient.address}, extra={"links/vendor-cloud.toml": TELEMETRY})
    files["policies/links.cedar"] += ALLOW
    site.activate(files)
    site.add(local("adt", kind="adt", authoritative_adt=True))
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(ADT % (b"C1", b"99887766", b"Kanarienvogel^Tweety")) == "AA"
            (tmp_path / "ids").write_text("99887766^^^HOSP^MR\n")
            site.stop()
        site.cli("patient", "canary", "--identifier-file", str(tmp_path / "ids"))
        site.start()
        with Client(site.port()) as client:
            assert client.send(oru("C2", mrn="99887766", name="Kanarienvogel^Tweety", value="51.5")) == "AA"
            assert client.send(oru("C3", mrn="11112222", name="Doe^Jane", value="52.5")) == "AA"
        site.wait(lambda: {b"51.5", b"52.5"} <= set(recipient.values()))
        noticed = site.records("guard.noticed")
        assert [r["body"]["kind"] for r in noticed] == ["canary"], "care gets it, somebody is told"
        assert site.records("guard.stopped") == []
    finally:
        site.stop()
        recipient.close()
