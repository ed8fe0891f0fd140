"""Promises of the role tables, of signing, rotation, certificates and counts."""

import base64
import dataclasses

import orjson
import pytest
from cryptography import x509
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.vault.sites import ME, OTHER, asking, gateway

from oathward.core.db import connect, read, write
from oathward.core.errors import AuthorityError, KeeperError, VaultError
from oathward.core.reasons import Reason
from oathward.vault import authority, certificates
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import keyring, signing
from oathward.vault.keeper.operations import table as operations
from oathward.vault.sign import Signer


def test_each_operation_stands_in_one_table_but_those_of_people_who_are_signed_in():
    names = [name for table in operations.TABLES.values() for name in table]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == set(operations.SIGNED_IN)
    assert all(names.count(name) == 2 for name in twice)
    assert twice <= set(operations.TABLES["app"]) & set(operations.TABLES["admin"])
    assert set(operations.TABLES) == {"any", "gateway", "courier", "app", "portal", "admin"}


def test_a_role_reaches_its_own_operations_alone(site):
    for role in ("gateway", "courier", "app", "admin", "any", ""):
        with asking(site, role) as client:
            own = set(operations.TABLES["any"]) | set(operations.TABLES.get(role, {}))
            for table in operations.TABLES.values():
                for name in table:
                    if name not in own:
                        reason = refused(lambda name=name, client=client: client._call(name))
                        assert reason is Reason.NOT_PERMITTED, (role, name)


def test_the_gateway_never_gets_a_private_or_opening_key(site, admin):
    with asking(site, "gateway") as client:
        keys = client.hello()
        told = str([client._call("hello"), client._call("state"), client._call("newest", after=["", ""])])
    keeper = admin._transport._keeper
    secrets = [
        key.private for kind in keyring.EXCHANGE_KINDS for key in keyring.exchanges(keeper.store, kind)
    ]
    secrets += [keeper.authority.seed, keeper.ledger_key.seed]
    assert not [secret for secret in secrets if base64.b64encode(secret).decode() in told]
    assert base64.b64encode(keys.index_key).decode() in told  # reverse: what it may have is found this way
    assert keys.intake.public != keys.outbox.public


def test_public_keys_that_another_authority_signed_are_refused(site):
    with asking(site, "gateway") as client:
        client.hello()
        client._authority = Signer.create("another")
        with pytest.raises(AuthorityError):
            client.hello()


def test_an_older_public_key_is_refused(site):
    with asking(site, "gateway") as client:
        client.hello()
        client._serials["intake"] = 99
        with pytest.raises(AuthorityError) as caught:
            client.hello()
        assert caught.value.reason is Reason.AUTHORITY_STALE


# --- signing


def test_a_version_is_signed_once(site, admin):
    one = admin.sign_authority("bundle", "active", 1, b"one", [ME])
    assert one.version == 1
    assert admin.sign_authority("bundle", "active", 1, b"one", [ME]).signature == one.signature
    assert refused(lambda: admin.sign_authority("bundle", "active", 1, b"two", [ME])) is Reason.CONFLICT
    assert admin.sign_authority("bundle", "active", 0, b"two", [ME]).version == 2
    assert refused(lambda: admin.sign_authority("bundle", "active", 1, b"one", [ME])) is Reason.CONFLICT
    assert admin.sign_authority("bundle", "active", 7, b"x", [ME]).version == 7
    assert admin.sign_authority("bundle", "other", 1, b"x", [ME]).version == 1


def test_signing_is_recorded_with_who_agreed(site, admin):
    admin.sign_many([("device", "d1", 1, b"a"), ("device", "d2", 1, b"b")], [ME, OTHER])
    (record,) = records(site, "authority.signed")
    assert record["body"]["approvals"] == ["ada", "ben"]
    assert [d[:3] for d in record["body"]["documents"]] == [["device", "d1", 1], ["device", "d2", 1]]


def test_all_are_signed_or_none(site, admin):
    admin.sign_authority("device", "d1", 5, b"x", [ME])
    wanted = [("device", "d0", 1, b"x"), ("device", "d1", 2, b"y")]
    assert refused(lambda: admin.sign_many(wanted, [ME])) is Reason.CONFLICT
    assert admin.sign_authority("device", "d0", 0, b"z", [ME]).version == 1


@pytest.mark.parametrize(
    "kind", ["key.intake", "key.outbox", "key.", "erasure", "Bundle", "", "a b", "x" * 33]
)
def test_the_keepers_own_kinds_cannot_be_asked_for(site, admin, kind):
    with pytest.raises(KeeperError) as caught:
        admin.sign_authority(kind, "x", 1, b"x", [ME])
    assert caught.value.reason in {Reason.NOT_PERMITTED, Reason.INPUT_INVALID}


def test_nothing_is_signed_without_approval(site, admin):
    assert refused(lambda: admin.sign_authority("bundle", "active", 1, b"x", [])) is Reason.NOT_PERMITTED
    assert (
        refused(lambda: admin.sign_authority("bundle", "active", 1, b"x", [{"kind": "x"}]))
        is Reason.NOT_PERMITTED
    )


def test_newest_tells_what_was_signed_and_stored(site, admin, monkeypatch):
    monkeypatch.setattr(signing, "NEWEST_ROWS", 3)
    documents = admin.sign_many([("device", f"d{n}", n + 1, b"x") for n in range(8)], [ME])
    admin.sign_authority("bundle", "never stored", 1, b"x", [ME])
    assert admin.newest() == {}
    engine = connect(site.database_url)
    with write(engine) as db:
        authority.put_all(db, documents)
    assert admin.newest() == {("device", f"d{n}"): n + 1 for n in range(8)}
    with read(engine) as db:
        seen = Seen(admin.newest())
        found = authority.load_all(db, site.site.name, "device", trust_anchor(site), seen)
    assert len(found) == 8
    engine.dispose()


# --- seeds, exchange keys


def test_seeds_are_counted_per_project(site):
    with asking(site, "gateway") as client:
        client.seeds([("a", "p1"), ("b", "p1"), ("a", "p2")])
        client.seed("a", "p1")
    counts = [(r["body"]["project"], r["body"]["count"]) for r in records(site, "seed.issued")]
    assert counts == [("p1", 3), ("p2", 1)]


def test_exchange_keys_change_by_the_day_and_old_ones_die_when_empty(site, admin):
    keeper = admin._transport._keeper
    store, day = keeper.store, keyring.DAY_US
    now = keeper.now_us()
    first = keyring.current(store, "intake", now, 1)
    assert keyring.current(store, "intake", now + day - 10**9, 1).id == first.id
    second = keyring.current(store, "intake", now + day + 10**9, 1)
    assert second.id != first.id
    assert second.serial == first.serial + 1
    long_after = first.not_after_us + keyring.MARGIN_US
    assert keyring.destroy_expired(store, "intake", set(), long_after - 1) == []
    assert keyring.destroy_expired(store, "intake", {first.id}, long_after + 1) == []
    assert keyring.destroy_expired(store, "intake", set(), long_after + 1) == [first.id]
    # The current one stays, however old: somebody must be able to seal to something.
    assert keyring.destroy_expired(store, "intake", set(), long_after + 10 * day) == []
    assert keyring.current(store, "intake", long_after + 10 * day, 1).serial == second.serial + 1


def test_the_courier_gets_private_outbox_keys_and_tells_which_are_done(site):
    with asking(site, "courier") as courier, asking(site, "gateway") as gate:
        public = gate.hello().outbox
        private = courier.outbox_keys()
        assert list(private) == [public.id]
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = X25519PrivateKey.from_private_bytes(private[public.id])
        assert key.public_key().public_bytes_raw() == public.public
        assert courier.outbox_done([]) == []


# --- certificates


def test_a_device_certificate_says_what_we_say(site, admin):
    private, public = certificates.new_key()
    made, ca = admin.certify("device", ["pump-7"], public, ME)
    certificate, issuer = x509.load_der_x509_certificate(made), x509.load_der_x509_certificate(ca)
    certificate.verify_directly_issued_by(issuer)
    assert issuer == x509.load_pem_x509_certificate((site.data / "trust" / "device-ca.pem").read_bytes())
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:oathward:device:pump-7"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    assert load_pem_private_key(private, None).public_key() == certificate.public_key()
    (record,) = records(site, "certificate.issued")
    assert record["body"]["names"] == ["pump-7"]
    assert record["body"]["sha256"] == certificates.fingerprint(made).hex()


def test_a_server_certificate_has_host_names_and_addresses(site, admin):
    made, _ = admin.certify("server", ["oathward.example", "127.0.0.1", "::1"], certificates.new_key()[1], ME)
    san = (
        x509.load_der_x509_certificate(made)
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert san.get_values_for_type(x509.DNSName) == ["oathward.example"]
    assert [str(a) for a in san.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_other_key_kinds_are_certified_from_raw_bytes(site, admin):
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    raw = p384.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for public in (Signer.create("x").public, raw):
        admin.certify("device", ["d"], public, ME)


@pytest.mark.parametrize(
    ("kind", "names", "public"),
    [
        ("device", ["d"], b""),
        ("device", ["d"], b"\x04" + bytes(64)),
        ("device", ["d"], b"\x05" + bytes(64)),
        ("device", ["d"], b"-----BEGIN PUBLIC KEY-----"),
        ("device", ["d/../x"], bytes(32)),
        ("device", ["d\nCN=root"], bytes(32)),
        ("server", ["*.example"], bytes(32)),
        ("server", ["a b"], bytes(32)),
        ("server", [], bytes(32)),
    ],
)
def test_odd_certificate_requests_are_refused(site, admin, kind, names, public):
    with pytest.raises(KeeperError) as caught:
        admin.certify(kind, names, public, ME)
    assert caught.value.reason is Reason.INPUT_INVALID


# --- erasing


def test_erasing_gives_a_signed_certificate_with_both_dates(site, admin):
    with gateway(site) as gate:
        one = gate.keep("s1", b"x")
        gate.keep("s1", b"y")
        admin.back_up(ME)
        certificate = admin.erase("s1", "gdpr.art17", ME)
        assert refused(lambda: admin.open("s1", [one], "TREAT", ME)) is Reason.KEY_DESTROYED
    authority.verify(certificate, trust_anchor(site))
    body = orjson.loads(certificate.body)
    assert body["originals"] == 2
    assert body["tombstone"] == 1
    assert (
        body["erased_us"] < body["live_keys_destroyed_us"]
    )  # the intake keys of these days live a little longer
    assert body["last_backup_expires_us"] > body["erased_us"] + 6 * keyring.DAY_US
    (erased,) = records(site, "subject.erased")
    assert erased["subject"] == "s1"
    assert erased["body"]["originals"] == 2
    assert [r["body"]["tombstone"] for r in records(site, "key.destroyed")] == [1]
    again = orjson.loads(admin.erase("s1", "gdpr.art17", ME).body)
    assert {**again, "last_backup_expires_us": 0} == {**body, "last_backup_expires_us": 0}


def test_a_reason_with_words_about_a_person_is_refused(site, admin):
    assert refused(lambda: admin.erase("s1", "Mrs Roe asked", ME)) is Reason.INPUT_INVALID


def test_a_subject_that_comes_back_is_another_subject(site, admin):
    with gateway(site) as gate:
        admin.erase("s1", "gdpr.art17", ME)
        late = gate.keep("s1", b"sealed before the gateway heard")
        assert refused(lambda: admin.open("s1", [late], "TREAT", ME)) is Reason.KEY_DESTROYED
        new = gate.keep("s1-new", b"x")
        assert admin.open("s1-new", [new], "TREAT", ME)[0].data.reveal() == b"x"


def test_secrets_do_not_stand_in_reprs(site, admin):
    keeper = admin._transport._keeper
    exchange = keyring.exchanges(keeper.store, "intake")[0]
    assert repr(exchange.private) not in repr(exchange)
    with asking(site, "gateway") as gate:
        keys = gate.hello()
    assert repr(keys.index_key) not in repr(keys)


def test_a_changed_certificate_does_not_verify(site, admin):
    certificate = admin.erase("s1", "gdpr.art17", ME)
    with pytest.raises(AuthorityError):
        authority.verify(dataclasses.replace(certificate, body=certificate.body + b" "), trust_anchor(site))


def test_unavailable_data_key_says_so(site, admin):
    keeper = admin._transport._keeper
    from oathward.vault.keeper import subjects

    with pytest.raises(VaultError) as caught:
        subjects.data_key(keeper.store, keeper.site, "s1", "nothing")
    assert caught.value.reason is Reason.KEY_UNAVAILABLE
