"""What changes the inventory is checked, signed, stored once and recorded."""

import dataclasses

import pytest
from tests.unit.inventory.conftest import NOW, SITE

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.inventory import actions, sheet, strangers, views
from oathward.inventory.model import Device, Peer, Status, canonical, check, from_canonical

CERT = b"\x01" * 32
PUMP = Device(
    "pump-1", "Pump one", "pump", certificates=frozenset((CERT.hex(),)), senders=frozenset(("PUMP-01|ICU",))
)
SAYS = (b"PUMP-09", b"ICU")
HERE, NINE = Peer("10.0.0.9"), Device("pump-9", kind="pump")


def plan(inventory, *devices, **more):
    with read(inventory.engine) as db:
        return actions.plan(db, SITE, devices, **more)


def look(inventory, id_="pump-1"):
    with read(inventory.engine) as db:
        return views.one(db, SITE, id_, inventory.signer, inventory.seen)


class TestModel:
    def test_what_is_signed_reads_back(self):
        assert from_canonical(canonical(PUMP)) == PUMP
        assert canonical(from_canonical(canonical(PUMP))) == canonical(PUMP)

    @pytest.mark.parametrize(
        "body", [b"{}", b"[]", b"x", canonical(PUMP)[:-1], canonical(PUMP).replace(b"active", b"free")]
    )
    def test_rubbish_does_not(self, body):
        with pytest.raises(ValueError):  # noqa: PT011  any kind of it
            from_canonical(body)

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"id": ""}, "id"),
            ({"id": "a b"}, "id"),
            ({"id": "../x"}, "id"),
            ({"name": "x" * 201}, "name"),
            ({"location": "a\nb"}, "location"),
            ({"certificates": frozenset(("ab",))}, "certificates"),
            ({"certificates": frozenset((CERT.hex().upper().replace("0", "A"),))}, "certificates"),
            ({"message_types": frozenset(("ORU",))}, "message_types"),
            ({"addresses": frozenset(("10.0.0.300",))}, "addresses"),
            ({"addresses": frozenset(("10.0.0.1/24",))}, "addresses"),
            ({"tags": frozenset(("",))}, "tags"),
            ({"certificates": frozenset(), "senders": frozenset()}, "certificates"),
            ({"certificates": frozenset(), "authoritative_adt": True}, "authoritative_adt"),
        ],
    )
    def test_a_misshapen_device_is_refused_by_place(self, change, where):
        with pytest.raises(InputError) as error:
            check(dataclasses.replace(PUMP, **change))
        assert error.value.where == where


class TestAdd:
    def test_it_is_stored_and_recorded(self, inventory):
        inventory.add(PUMP)
        view = look(inventory)
        assert (view.device, view.status, view.version, view.signed) == (PUMP, "active", 1, "yes")
        assert inventory.kinds() == ["device.added"]

    def test_twice_is_a_conflict(self, inventory):
        inventory.add(PUMP)
        with pytest.raises(InputError) as error:
            plan(inventory, PUMP)
        assert error.value.reason is Reason.CONFLICT
        assert len(plan(inventory, PUMP, changes=True)) == 1

    def test_a_certificate_is_one_devices(self, inventory):
        inventory.add(PUMP)
        for other in (
            Device("pump-2", certificates=PUMP.certificates),
            dataclasses.replace(PUMP, id="PUMP-1"),
        ):
            with pytest.raises(InputError, match="another device"):
                plan(inventory, other)
        twins = [Device(i, certificate_names=frozenset(("DNS:x",))) for i in "ab"]
        with pytest.raises(InputError, match="another device"):
            plan(inventory, *twins)
        with pytest.raises(InputError, match="twice"):
            plan(inventory, PUMP, PUMP, changes=True)

    def test_a_race_is_noticed_at_the_latest_when_stored(self, inventory):
        one, two = plan(inventory, PUMP), plan(inventory, PUMP)
        late, early = inventory.sign(two), inventory.sign(one)
        inventory.store(early)
        with pytest.raises(InputError) as error:
            inventory.store(late)
        assert error.value.reason is Reason.CONFLICT
        assert inventory.kinds() == ["device.added"]

    def test_the_database_itself_keeps_certificates_apart(self, inventory):
        one, two = plan(inventory, PUMP), plan(inventory, dataclasses.replace(PUMP, id="pump-2"))
        inventory.store(inventory.sign(one))
        with pytest.raises(Exception, match="IntegrityError"):
            inventory.store(inventory.sign(two))
        assert look(inventory, "pump-2") is None


class TestStatus:
    def test_revoking_needs_no_signature_and_is_kept_by_later_changes(self, inventory):
        inventory.add(PUMP)
        inventory.run(actions.revoke, "pump-1", by="me", reason="lost", now_us=NOW)
        assert look(inventory).status == "revoked"
        with read(inventory.engine) as db:
            draft = actions.plan_certificate(db, SITE, "pump-1", b"\x05" * 32, keep=True)
        inventory.store(inventory.sign([draft]), "device.changed")
        assert look(inventory).device.status is Status.REVOKED
        assert inventory.kinds() == ["device.added", "device.revoked", "device.changed"]

    def test_reinstating_is_signed(self, inventory):
        inventory.add(PUMP)
        inventory.run(actions.revoke, "pump-1", by="me", reason="lost", now_us=NOW)
        with read(inventory.engine) as db:
            draft = actions.plan_status(db, SITE, "pump-1", Status.ACTIVE)
        inventory.store(inventory.sign([draft]), "device.changed", reason="found")
        assert (look(inventory).status, look(inventory).device.status) == ("active", Status.ACTIVE)

    @pytest.mark.parametrize(
        "act",
        [
            lambda db: actions.revoke(db, SITE, "x", by="me", reason="lost", now_us=NOW),
            lambda db: actions.plan_status(db, SITE, "x", Status.ACTIVE),
            lambda db: actions.plan_certificate(db, SITE, "x", CERT, keep=False),
        ],
        ids=["revoke", "status", "certificate"],
    )
    def test_nobody_is_not_found(self, inventory, act):
        with write(inventory.engine) as db, pytest.raises(InputError) as error:
            act(db)
        assert error.value.reason is Reason.NOT_FOUND
        assert inventory.kinds() == []

    @pytest.mark.parametrize(("keep", "count"), [(True, 2), (False, 1)])
    def test_a_new_certificate(self, inventory, keep, count):
        inventory.add(PUMP)
        with read(inventory.engine) as db:
            draft = actions.plan_certificate(db, SITE, "pump-1", b"\x05" * 32, keep=keep)
        inventory.store(inventory.sign([draft]), "device.changed")
        assert len(look(inventory).device.certificates) == count


class TestStrangers:
    def heard(self, inventory, peer=HERE, says=SAYS, now=NOW):
        return inventory.run(strangers.remember_unknown, peer, says, now)

    def held(self, inventory, **more):
        with read(inventory.engine) as db:
            return views.unknown(db, SITE, **more)

    def test_one_entry_an_identity_counted(self, inventory):
        ids = {self.heard(inventory, now=NOW + n) for n in range(3)}
        (one,) = self.held(inventory)
        assert {one.id} == ids
        assert (one.messages, one.first_us, one.last_us) == (3, NOW, NOW + 2)
        assert (one.address, one.application, one.facility, one.certificate) == (
            "10.0.0.9",
            "PUMP-09",
            "ICU",
            "",
        )
        self.heard(inventory, says=(b"OTHER", b""))
        self.heard(inventory, Peer("10.0.0.9", CERT))
        assert len(self.held(inventory)) == 3

    def test_a_certificate_is_the_identity_wherever_it_comes_from(self, inventory):
        assert self.heard(inventory, Peer("10.0.0.1", CERT)) == self.heard(inventory, Peer("10.0.0.2", CERT))

    def test_made_up_names_are_counted_as_one_beyond_the_limit(self, inventory, monkeypatch):
        monkeypatch.setattr(strangers, "NEW_PER_HOUR_MAX", 5)
        for n in range(50):
            self.heard(inventory, says=(b"X%d" % n, b""))
        found = {h.id: h for h in self.held(inventory)}
        assert len(found) == 6
        assert found[strangers.OVERFLOW].messages == 45
        assert found[strangers.OVERFLOW].application == ""
        self.heard(inventory, says=(b"LATER", b""), now=NOW + 3_600_000_001)
        assert len(self.held(inventory)) == 7

    def test_reverse_without_the_limit_they_fill_the_table(self, inventory, monkeypatch):
        monkeypatch.setattr(strangers, "NEW_PER_HOUR_MAX", 10_000)
        for n in range(50):
            self.heard(inventory, says=(b"X%d" % n, b""))
        assert len(self.held(inventory)) == 50

    def test_what_it_says_is_cut_and_harmless(self, inventory):
        self.heard(inventory, says=(b"\x1b[31m" + b"A" * 500, b"\xff\n"))
        (one,) = self.held(inventory)
        assert len(one.application) == strangers.TEXT_LENGTH_MAX
        assert one.application.isprintable()
        assert one.facility.isprintable()

    def test_dismissed_stays_off_the_list(self, inventory):
        id_ = self.heard(inventory)
        inventory.run(actions.dismiss, id_, by="me", now_us=NOW)
        self.heard(inventory)
        assert self.held(inventory) == []
        assert self.held(inventory, state="dismissed")[0].messages == 2
        with pytest.raises(InputError):
            inventory.run(actions.dismiss, "nobody", by="me", now_us=NOW)


class TestAdoption:
    def adopt(self, inventory, held, device=NINE, **more):
        with read(inventory.engine) as db:
            draft = actions.plan_adoption(db, SITE, held, device, **more)
        inventory.store(inventory.sign([draft]), "device.adopted", held=held)

    def test_a_certificate_it_showed_identifies_it_from_now_on(self, inventory):
        peer = Peer("10.0.0.9", CERT)
        held = inventory.run(strangers.remember_unknown, peer, SAYS, NOW)
        self.adopt(inventory, held, pin_address=False)
        found = inventory.snapshot.identify(peer, SAYS)
        assert (found.device.id, found.reason) == ("pump-9", None)
        assert found.device.addresses == frozenset()
        assert inventory.snapshot.identify(peer, (b"ELSE", b"ICU")).reason is Reason.DEVICE_MISMATCH
        assert inventory.kinds() == ["device.adopted"]
        with read(inventory.engine) as db:
            assert views.unknown(db, SITE) == []
            assert [h.id for h in views.unknown(db, SITE, state="adopted")] == [held]

    def test_an_address_only_if_somebody_says_so(self, inventory):
        held = inventory.run(strangers.remember_unknown, Peer("10.0.0.9"), SAYS, NOW)
        with pytest.raises(InputError, match="pin its address"):
            self.adopt(inventory, held, pin_address=False)
        self.adopt(inventory, held, pin_address=True)
        assert inventory.snapshot.identify(Peer("10.0.0.9"), SAYS).device.id == "pump-9"

    @pytest.mark.parametrize("held", ["nobody", strangers.OVERFLOW])
    def test_nobody_in_particular_cannot_be_adopted(self, inventory, held, monkeypatch):
        monkeypatch.setattr(strangers, "NEW_PER_HOUR_MAX", 0)
        inventory.run(strangers.remember_unknown, Peer("10.0.0.9"), SAYS, NOW)
        with pytest.raises(InputError):
            self.adopt(inventory, held, pin_address=True)

    def test_twice_is_not_found(self, inventory):
        held = inventory.run(strangers.remember_unknown, Peer("10.0.0.9"), SAYS, NOW)
        self.adopt(inventory, held, pin_address=True)
        with pytest.raises(InputError):
            self.adopt(inventory, held, Device("pump-10"), pin_address=True)


class TestImport:
    HEADER = "id,kind,senders,addresses\n"

    def plan(self, inventory, text):
        with read(inventory.engine) as db:
            return actions.plan_import(db, SITE, sheet.parse(text.encode()))

    def run(self, inventory, text):
        found = self.plan(inventory, text)
        if found.documents:
            inventory.store(inventory.sign(found.documents), "device.changed")
        return found

    def test_new_changed_and_the_same(self, inventory):
        text = self.HEADER + "a,pump,A,\nb,pump,B,\n"
        assert self.run(inventory, text).added == ("a", "b")
        found = self.run(inventory, text.replace("b,pump", "b,monitor"))
        assert (found.added, found.changed, found.unchanged) == ((), ("b",), ("a",))
        assert look(inventory, "b").device.kind == "monitor"

    def test_what_the_sheet_has_no_column_for_stays(self, inventory):
        inventory.add(PUMP)
        inventory.run(actions.revoke, "pump-1", by="me", reason="lost", now_us=NOW)
        self.run(inventory, "id,location,status\npump-1,Ward 4,\n")
        device = look(inventory).device
        assert (device.location, device.certificates, device.name) == (
            "Ward 4",
            PUMP.certificates,
            "Pump one",
        )
        assert look(inventory).status == "revoked"

    def test_an_empty_cell_empties_its_field(self, inventory):
        inventory.add(PUMP)
        self.run(inventory, "id,name\npump-1,\n")
        assert look(inventory).device.name == ""

    def test_one_error_and_nothing_is_drafted(self, inventory):
        found = self.plan(inventory, self.HEADER + "a,pump,A,\nb b,pump,B,\nc,pump,,\n")
        assert found.documents == ()
        assert [(e.line, e.column) for e in found.errors] == [(3, "id"), (4, "certificates")]

    def test_a_certificate_of_another_device_is_an_error_of_its_line(self, inventory):
        inventory.add(PUMP)
        found = self.plan(inventory, f"id,certificate\nx,{CERT.hex()}\n")
        assert [(e.line, e.column) for e in found.errors] == [(2, "certificates")]
