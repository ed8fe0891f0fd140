"""Who is speaking: by proof, never by what it says of itself."""

import dataclasses

import pytest
from tests.unit.inventory.conftest import SITE, Inventory

from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.inventory import actions, snapshot
from oathward.inventory.model import Device, Identified, Peer, Status, canonical, check

CERT, OTHER = b"\x01" * 32, b"\x02" * 32
PUMP = Device(
    "pump-1", kind="pump", certificates=frozenset((CERT.hex(),)), senders=frozenset(("PUMP-01|ICU",))
)
SAYS = (b"PUMP-01^0012^EUI-64", b"ICU")


def peer(cert=None, address="10.0.0.9", names=()):
    return Peer(address, cert, names)


class TestCertificate:
    def test_it_identifies(self, inventory):
        inventory.add(PUMP)
        assert inventory.snapshot.identify(peer(CERT), SAYS) == Identified(PUMP, Assurance.CERTIFICATE)

    @pytest.mark.parametrize(
        "says", [(b"PUMP-02", b"ICU"), (b"PUMP-01", b"CCU"), (b"", b""), (b"PUMP-01 ", b"ICU")]
    )
    def test_and_is_bound_to_what_the_sender_says(self, inventory, says):
        inventory.add(PUMP)
        found = inventory.snapshot.identify(peer(CERT), says)
        assert (found.assurance, found.reason) == (Assurance.NONE, Reason.DEVICE_MISMATCH)

    def test_reverse_without_that_binding_it_could_speak_as_anyone(self, inventory, monkeypatch):
        inventory.add(PUMP)
        monkeypatch.setattr(snapshot, "_may_use", lambda *_: True)
        assert inventory.snapshot.identify(peer(CERT), (b"PUMP-02", b"ICU")).reason is None

    def test_a_mismatch_is_not_looked_up_by_address(self, inventory):
        inventory.add(
            PUMP, Device("pump-2", senders=frozenset(("PUMP-02",)), addresses=frozenset(("10.0.0.9",)))
        )
        assert inventory.snapshot.identify(peer(CERT), (b"PUMP-02", b"")).reason is Reason.DEVICE_MISMATCH

    def test_a_name_in_it_identifies_too(self, inventory):
        named = Device("pump-3", certificate_names=frozenset(("DNS:pump-3.example.org",)))
        inventory.add(named)
        found = inventory.snapshot.identify(
            peer(OTHER, names=("IP:10.0.0.1", "DNS:pump-3.example.org")), SAYS
        )
        assert found == Identified(named, Assurance.CERTIFICATE)

    def test_an_unknown_one_is_nobody(self, inventory):
        inventory.add(PUMP)
        found = inventory.snapshot.identify(peer(OTHER), SAYS)
        assert found == Identified(None, Assurance.CLAIMED, Reason.DEVICE_UNKNOWN)


class TestVouching:
    GATEWAY = Device(
        "gw-1", kind="gateway", certificates=frozenset((CERT.hex(),)), senders=frozenset(("GW",)),
        vouches_for=frozenset(("kind:pump", "mon-1", "tag:icu")),
    )  # fmt: skip
    PUMP = Device("pump-1", kind="pump", senders=frozenset(("PUMP-01",)), equipment=frozenset(("0012AB^X",)))

    @pytest.fixture
    def known(self, inventory):
        inventory.add(
            self.GATEWAY,
            self.PUMP,
            Device("mon-1", kind="monitor", senders=frozenset(("MON-1",)), equipment=frozenset(("M1",))),
            Device("mon-2", kind="monitor", senders=frozenset(("MON-2",)), equipment=frozenset(("M2",))),
            Device("vent-1", kind="vent", senders=frozenset(("VENT",)), tags=frozenset(("icu",))),
        )
        return inventory.snapshot

    @pytest.mark.parametrize(
        ("says", "device"), [(b"PUMP-01", "pump-1"), (b"MON-1", "mon-1"), (b"VENT", "vent-1")]
    )
    def test_a_gateway_speaks_for_those_it_vouches_for(self, known, says, device):
        found = known.identify(peer(CERT), (says, b"X"))
        assert (found.device.id, found.assurance, found.reason) == (device, Assurance.VOUCHED, None)

    def test_and_for_no_other(self, known):
        assert known.identify(peer(CERT), (b"MON-2", b"X")).reason is Reason.DEVICE_MISMATCH

    def test_and_for_itself(self, known):
        assert known.identify(peer(CERT), (b"GW", b"")) == Identified(self.GATEWAY, Assurance.CERTIFICATE)

    def test_by_the_equipment_a_message_names(self, known):
        def name(*equipment):
            found = known.identify(peer(CERT), (b"GW", b""), equipment)
            return found.device.id, found.assurance, found.reason

        assert name(b"0012AB^EUI-64") == ("pump-1", Assurance.VOUCHED, None)
        assert name(b"0012AB", b"0012AB^X") == ("pump-1", Assurance.VOUCHED, None)
        assert name(b"unknown") == ("gw-1", Assurance.CERTIFICATE, None)
        assert name(b"M2") == ("gw-1", Assurance.NONE, Reason.DEVICE_MISMATCH)
        assert name(b"0012AB", b"M1") == ("gw-1", Assurance.NONE, Reason.DEVICE_MISMATCH)

    def test_a_revoked_gateway_speaks_for_nobody(self, inventory, known):
        inventory.run(actions.revoke, "gw-1", by="me", reason="lost", now_us=1)
        inventory.refresh()
        assert known.identify(peer(CERT), (b"PUMP-01", b"")).reason is Reason.DEVICE_REVOKED

    def test_an_address_does_not_vouch(self, inventory):
        inventory.add(
            dataclasses.replace(self.GATEWAY, certificates=frozenset(), addresses=frozenset(("10.0.0.9",))),
            self.PUMP,
        )
        assert inventory.snapshot.identify(peer(), (b"PUMP-01", b"")).reason is Reason.DEVICE_MISMATCH


class TestAddress:
    def test_it_identifies_where_it_is_pinned(self, inventory):
        device = Device("p", senders=frozenset(("P",)), addresses=frozenset(("10.0.0.9",)))
        inventory.add(device)
        assert inventory.snapshot.identify(peer(), (b"P", b"")) == Identified(device, Assurance.ADDRESS)
        assert (
            inventory.snapshot.identify(peer(address="10.0.0.8"), (b"P", b"")).reason is Reason.DEVICE_UNKNOWN
        )

    @pytest.mark.parametrize(("network", "address"), [("10.1.0.0/16", "10.1.2.3"), ("fd00::/8", "fd00::7")])
    def test_a_network_too(self, inventory, network, address):
        inventory.add(Device("p", senders=frozenset(("P",)), addresses=frozenset((network,))))
        assert inventory.snapshot.identify(peer(address=address), (b"P", b"")).device.id == "p"
        assert inventory.snapshot.identify(peer(address="192.0.2.1"), (b"P", b"")).device is None
        assert inventory.snapshot.identify(peer(address="local"), (b"P", b"")).device is None

    def test_several_on_one_address_are_told_apart_by_what_they_say(self, inventory):
        both = [Device(i, senders=frozenset((i,)), addresses=frozenset(("10.0.0.9",))) for i in ("a", "b")]
        inventory.add(*both)
        assert inventory.snapshot.identify(peer(), (b"b", b"")).device.id == "b"
        assert inventory.snapshot.identify(peer(), (b"c", b"")).reason is Reason.DEVICE_MISMATCH

    def test_and_are_nobody_when_they_cannot_be(self, inventory):
        inventory.add(*[Device(i, addresses=frozenset(("10.0.0.9",))) for i in ("a", "b")])
        assert inventory.snapshot.identify(peer(), (b"a", b"")).device is None


class TestClaim:
    def test_what_a_sender_says_alone_names_nobody(self, inventory):
        inventory.add(Device("p", senders=frozenset(("P",))))
        found = inventory.snapshot.identify(peer(), (b"P", b""))
        assert found == Identified(None, Assurance.CLAIMED, Reason.DEVICE_UNKNOWN)

    def test_an_empty_inventory_knows_nobody(self, inventory):
        assert inventory.snapshot.identify(peer(CERT), SAYS) == Identified(
            None, Assurance.NONE, Reason.DEVICE_UNKNOWN
        )


class TestRevocation:
    @pytest.mark.parametrize("how", ["certificate", "address"])
    def test_it_wins_everywhere_after_refresh(self, inventory, how):
        device = dataclasses.replace(
            PUMP,
            **(
                {}
                if how == "certificate"
                else {"certificates": frozenset(), "addresses": frozenset(("10.0.0.9",))}
            ),
        )
        inventory.add(device)
        who = peer(CERT if how == "certificate" else None)
        assert not inventory.snapshot.revoked(who)
        inventory.run(actions.revoke, "pump-1", by="me", reason="lost", now_us=1)
        assert inventory.refresh()
        found = inventory.snapshot.identify(who, SAYS)
        assert (found.assurance, found.reason) == (Assurance.NONE, Reason.DEVICE_REVOKED)
        assert inventory.snapshot.revoked(who)

    def test_strangers_are_not_revoked(self, inventory):
        assert not inventory.snapshot.revoked(peer(CERT))

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (Status.RETIRED, Reason.DEVICE_REVOKED),
            (Status.REVOKED, Reason.DEVICE_REVOKED),
            (Status.HELD, Reason.DEVICE_UNKNOWN),
        ],
    )
    def test_only_active_devices_are_let_in(self, inventory, status, reason):
        inventory.add(dataclasses.replace(PUMP, status=status))
        assert inventory.snapshot.identify(peer(CERT), SAYS).reason is reason

    def test_a_changed_device_counts_and_the_old_one_no_longer(self, inventory):
        inventory.add(PUMP)
        inventory.add(dataclasses.replace(PUMP, certificates=frozenset((OTHER.hex(),))), changes=True)
        assert inventory.snapshot.identify(peer(OTHER), SAYS).assurance is Assurance.CERTIFICATE
        assert inventory.snapshot.identify(peer(CERT), SAYS).device is None

    def test_nothing_new_is_nothing_to_do(self, inventory):
        inventory.add(PUMP)
        assert not inventory.refresh()


class TestTampering:
    """With the database's rights and not the keeper's key."""

    def forge(self, inventory, device, signature=b"x" * 64):
        inventory.sql(
            "INSERT INTO device VALUES (?, ?, 9, 'active', ?, ?, 0, 99)",
            SITE,
            device.id,
            canonical(device),
            signature,
        )
        inventory.sql("UPDATE device_change SET n = 99")
        inventory.sql(
            "INSERT INTO device_change SELECT ?, 99 WHERE NOT EXISTS (SELECT 1 FROM device_change)", SITE
        )
        inventory.refresh()

    def test_a_made_up_device_is_nobody_and_a_finding(self, inventory):
        self.forge(inventory, PUMP)
        assert inventory.snapshot.identify(peer(CERT), SAYS).device is None
        assert inventory.snapshot.device("pump-1") is None
        assert inventory.snapshot.take_findings() == [("authority.signature-invalid", "pump-1")]
        assert inventory.snapshot.take_findings() == []

    def test_reverse_without_the_signature_it_would_be_believed(self, inventory, monkeypatch):
        monkeypatch.setattr(inventory.seen, "admit", lambda *_: None)
        self.forge(inventory, PUMP)
        assert inventory.snapshot.identify(peer(CERT), SAYS).device == PUMP

    def test_it_does_not_hide_the_real_one(self, inventory):
        inventory.add(PUMP)
        self.forge(inventory, dataclasses.replace(PUMP, id="evil", authoritative_adt=True))
        assert inventory.snapshot.identify(peer(CERT), SAYS) == Identified(PUMP, Assurance.CERTIFICATE)

    def test_a_changed_body_is_not_believed(self, inventory):
        inventory.add(PUMP)
        evil = canonical(dataclasses.replace(PUMP, authoritative_adt=True))
        inventory.sql("UPDATE device SET body = ?, change = 50", evil)
        inventory.sql("UPDATE device_change SET n = 50")
        inventory.refresh()
        assert inventory.snapshot.identify(peer(CERT), SAYS).device is None

    def test_a_signature_of_another_device_is_not_believed(self, inventory):
        inventory.add(PUMP)
        inventory.sql("UPDATE device SET id = 'pump-2', change = 50")
        inventory.sql("UPDATE device_change SET n = 50")
        late = Inventory(inventory.engine, inventory.signer).snapshot
        assert late.identify(peer(CERT), SAYS).device is None
        assert late.take_findings() == [("authority.signature-invalid", "pump-2")]

    def test_the_status_column_can_only_narrow(self, inventory):
        inventory.add(dataclasses.replace(PUMP, status=Status.REVOKED))
        inventory.sql("UPDATE device SET status = 'active', change = 50")
        inventory.sql("UPDATE device_change SET n = 50")
        inventory.refresh()
        assert inventory.snapshot.identify(peer(CERT), SAYS).reason is Reason.DEVICE_REVOKED
        inventory.sql("UPDATE device SET status = 'nonsense', change = 51")
        inventory.sql("UPDATE device_change SET n = 51")
        inventory.refresh()
        assert inventory.snapshot.identify(peer(CERT), SAYS).reason is not None

    def test_an_older_document_is_not_believed(self, inventory):
        inventory.add(PUMP)
        old = inventory.signed("pump-1", canonical(PUMP), version=1)
        inventory.add(dataclasses.replace(PUMP, status=Status.REVOKED), changes=True)
        inventory.snapshot.identify(peer(CERT), SAYS)
        inventory.sql(
            "UPDATE device SET version = 1, status = 'active', body = ?, signature = ?, change = 50",
            old.body,
            old.signature,
        )
        inventory.sql("UPDATE device_change SET n = 50")
        inventory.refresh()
        assert inventory.snapshot.identify(peer(CERT), SAYS).device is None
        assert ("authority.stale", "pump-1") in inventory.snapshot.take_findings()

    def test_a_process_that_starts_later_hears_from_the_keeper_what_is_newest(self, inventory):
        inventory.add(PUMP)
        later = Inventory(inventory.engine, inventory.signer)
        later.seen.learn({("device", "pump-1"): 2, ("device", "gone-1"): 1})
        late = snapshot.Snapshot(SITE, inventory.signer, later.seen)
        with inventory.engine.connect() as db:
            late.refresh(db)
        assert late.identify(peer(CERT), SAYS).device is None
        assert late.take_findings() == [("device.gone", "gone-1"), ("authority.stale", "pump-1")]

    @pytest.mark.parametrize("rubbish", [b"{}", "{}", "", 7])
    def test_rubbish_in_a_row_is_a_finding(self, inventory, rubbish):
        inventory.sql("INSERT INTO device VALUES (?, 'x', 1, 'active', ?, ?, 0, 1)", SITE, rubbish, rubbish)
        inventory.sql("INSERT INTO device_change VALUES (?, 1)", SITE)
        inventory.refresh()
        assert inventory.snapshot.take_findings() == [("authority.signature-invalid", "x")]


class TestMemory:
    def test_made_up_senders_do_not_fill_it(self, inventory, monkeypatch):
        monkeypatch.setattr(snapshot, "REMEMBERED_MAX", 10)
        for n in range(100):
            inventory.snapshot.identify(peer(), (b"%d" % n, b""))
        assert len(inventory.snapshot._remembered) <= 10

    def test_the_second_time_nothing_is_verified(self, inventory, monkeypatch):
        inventory.add(PUMP)
        first = inventory.snapshot.identify(peer(CERT), SAYS)
        monkeypatch.setattr(inventory.seen, "admit", None)
        assert inventory.snapshot.identify(peer(CERT), SAYS) is first


def test_entitlement():
    device = dataclasses.replace(PUMP, message_types=frozenset(("ORU^R01", "ADT^*")))
    assert device.entitled("ORU", "R01")
    assert device.entitled("ADT", "A40")
    assert not device.entitled("ORU", "R40")
    assert not dataclasses.replace(PUMP, message_types=frozenset()).entitled("ORU", "R01")
    assert PUMP.entitled("ORU", "R01")
    check(PUMP)


def test_an_answer_from_before_a_change_is_not_remembered_after_it(inventory, monkeypatch):
    """A refresh in its own thread, while the event loop looks somebody up: who was revoked must not stay in force."""
    inventory.add(PUMP)
    look = inventory.snapshot._identify

    def while_it_is_revoked(who, says):
        found = look(who, says)
        inventory.add(dataclasses.replace(PUMP, status=Status.REVOKED), changes=True)
        return found

    monkeypatch.setattr(inventory.snapshot, "_identify", while_it_is_revoked)
    inventory.snapshot.identify(peer(CERT), SAYS)
    monkeypatch.undo()
    assert inventory.snapshot.identify(peer(CERT), SAYS).reason is Reason.DEVICE_REVOKED
