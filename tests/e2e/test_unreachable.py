"""A recipient that is away: said by doctor, log and metrics; nothing is lost, and it is delivered when it is back."""

import socket
import urllib.request

from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru


def test_a_recipient_that_is_away_is_seen_and_served_later(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": f"mllp://127.0.0.1:{port}"}))
    site.add(local())
    site.start()
    recipient = None
    try:
        with Client(site.port()) as client:
            assert client.send(oru("W1", value="21.5")) == "AA"
        site.wait(lambda: site.status("courier")["links"]["ehr"]["trouble"] == "delivery.unreachable")
        lines = site.cli("doctor", check=False)["lines"]
        assert [line["level"] for line in lines if line["about"] == "delivery"] == ["bad"]
        metrics = site.status("app")["ports"]["metrics"]
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as page:
            assert b'oathward_link_failing{link="ehr"} 1.0' in page.read()
        site.wait(lambda: "delivery.unreachable" in site.log.read_text())
        recipient = Recipient(port)
        site.wait(lambda: recipient.values() == [b"21.5"])
        site.wait(lambda: site.status("courier")["links"]["ehr"]["trouble"] == "")
    finally:
        site.stop()
        if recipient:
            recipient.close()
