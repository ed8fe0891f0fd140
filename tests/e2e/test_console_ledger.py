"""Verify now, prove one record: in a browser, by keyboard; and a ledger that was changed is said to be."""

import pytest
from tests.e2e.browser import needs_chromium, signed_in
from tests.e2e.console_site import about
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient

from oathward.core.db import connect, write

pytestmark = needs_chromium


@pytest.fixture
def site(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s", console=True)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local("mon-1", "MON1"))
    site.start()
    try:
        with Client(site.port()) as client:
            for n in range(5):
                assert client.send(about(f"L{n}")) == "AA"
        yield site
    finally:
        site.stop()
        recipient.close()


def verify(console) -> None:
    console.open("/ledger")
    console.tab_to("Verify all of it now")
    console.press("Enter")
    console.page.wait_for_url("**/ledger#verify")


def test_a_whole_ledger_is_said_to_hold(site, chromium):
    with signed_in(chromium, site) as console:
        verify(console)
        console.page.wait_for_selector("text=all of it holds")
        assert "by Dana" in console.page.inner_text("section:has(#verify)")


def test_one_record_is_proved_and_its_proof_stands_alone(site, chromium, tmp_path):
    size = site.wait(lambda: site.rows("SELECT count(*) FROM ledger_record")[0][0])
    with signed_in(chromium, site) as console:
        console.open("/ledger/2")
        console.page.wait_for_selector("text=proved")
        with console.page.expect_download() as given:
            console.tab_to("Download the proof")
            console.press("Enter")
        file = tmp_path / "given"
        given.value.save_as(file)
    key = site.folder / "trust" / "ledger.pub"
    proved = site.cli("ledger", "verify", "--proof", str(file), "--key", str(key))
    assert proved["index"] == 2
    assert proved["size"] <= size + 10


def test_a_changed_record_is_found_and_named(site, chromium):
    """Reverse: what the page says depends on what is there."""
    engine = connect(site.settings.database_url)
    with write(engine) as db:
        db.exec_driver_sql("UPDATE ledger_record SET kind = 'message.delivered' WHERE idx = 3")
    engine.dispose()
    with signed_in(chromium, site) as console:
        verify(console)
        console.page.wait_for_selector("text=The ledger does not hold")
        assert console.page.inner_text("[role=alert] a") == "3"
