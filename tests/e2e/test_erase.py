"""Erasing a person: what was kept opens no more, and a returning person is somebody new."""

import time

import pytest
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import admin_proof


def test_an_erased_person_cannot_be_opened_and_returns_as_somebody_new(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(oru("E1", mrn="55667788", value="31.5")) == "AA"
            [(subject, message)] = site.rows("SELECT subject, id FROM message")
            site.wait(lambda: site.rows("SELECT count(*) FROM intake_key") == [(0,)])
            erased = site.cli("keys", "erase", subject, "--reason", "gdpr.art17", "--yes")
            assert erased["certificate"]["kind"]
            assert site.rows("SELECT count(*) FROM subject_identifier") == [(0,)]
            time.sleep(1.5)  # the gateway looks for changes twice a second
            assert client.send(oru("E2", mrn="55667788", value="32.5")) == "AA"
        subjects = {s for (s,) in site.rows("SELECT subject FROM message")}
        assert len(subjects) == 2
        site.stop()
        with site.admin() as admin, pytest.raises(OathwardError) as refused:
            admin.keeper.open(subject, [message], "TREAT", admin_proof("test"))
        assert refused.value.reason in {Reason.KEY_DESTROYED, Reason.KEEPER_REFUSED, Reason.NOT_FOUND}
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()
        recipient.close()
