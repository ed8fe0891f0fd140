"""The four promises of the vault that an attacker with everything but the keeper cannot break (issue 2, item 4).

Each has its reverse: what the same check finds when the guard is not there.
"""

import dataclasses
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.unit.vault import sites
from tests.unit.vault.keeper.test_opening import change, refused
from tests.unit.vault.sites import ME, OTHER, asking

from oathward.core.db import connect, read, write
from oathward.core.errors import AuthorityError, OathwardError, VaultError
from oathward.core.reasons import Reason
from oathward.vault import authority, intake, kept
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.bodies import SegmentReader
from oathward.vault.keeper import client, keyring, site_key
from oathward.vault.keeper.store import Store
from oathward.vault.primitives import unwrap
from oathward.vault.seal import ORIGINAL_FORM, Sealer, intake_context, original_context

SECRET = b"PID|1||777^^^HOSP^MR||Roe^Jane"


class Thief:
    """Has the data folder without the keeper's, may read the database, and holds the gateway's memory."""

    def __init__(self, site, folder: Path, sealer: Sealer | None, keys: list[bytes]):
        shutil.copytree(site.data, folder, ignore=shutil.ignore_patterns("keeper", "*.sock"))
        self.site = dataclasses.replace(site, data=folder)
        self.sealer = sealer
        self.keys = keys

    def try_everything(self, message: str) -> bytes | None:
        """Try each key there is, on the body of a message."""
        engine = connect(self.site.database_url)
        with read(engine) as db:
            (row,) = kept.find(db, self.site.site.name, [message])
            rows = intake.waiting(db, self.site.site.name, 1_000)
        engine.dispose()
        sealed = SegmentReader(self.site.data / "bodies").read(row.body)
        nonce, data = sealed[len(ORIGINAL_FORM) :][:12], sealed[len(ORIGINAL_FORM) + 12 :]
        context = original_context(row.site, row.subject, row.purpose) + row.message.encode()
        in_memory = [key.aead for key in self.sealer._originals.values()] if self.sealer else []
        for raw in self.keys:
            in_memory.append(AESGCM(raw))
            for wrapped in rows:
                try:
                    private = X25519PrivateKey.from_private_bytes(raw)
                    in_memory.append(
                        AESGCM(unwrap(wrapped.wrapped, private, intake_context(wrapped), "thief"))
                    )
                except VaultError:
                    continue
        for aead in in_memory:
            try:
                return aead.decrypt(nonce, data, context)
            except InvalidTag:
                continue
        return None


def all_keys(gate_keys) -> list[bytes]:
    return [
        gate_keys.index_key,
        gate_keys.word_key,
        gate_keys.duplicate_key,
        gate_keys.intake.public,
        gate_keys.outbox.public,
    ]


@pytest.mark.parametrize("taken_in", [False, True])
def test_a_captured_gateway_cannot_read_an_older_message(site, tmp_path, taken_in):
    with sites.gateway(site) as gate, asking(site, "gateway") as own:
        keys = [*all_keys(own.hello()), own.seed("s1", "p"), own.device_key("p")]
        older = gate.keep("s1", SECRET)
        gate.sealer.forget()  # the epoch ends
        current = gate.keep("s1", SECRET)
        if taken_in:
            with asking(site, "admin") as admin:
                admin.open("s1", [older], "TREAT", ME)
        thief = Thief(site, tmp_path / "stolen", gate.sealer, keys)
        assert not (thief.site.data / "keeper").exists()
        assert thief.try_everything(older) is None
        # Reverse: the same attempts do read what this epoch's keys sealed, as they can.
        assert thief.try_everything(current) == SECRET
    files = b"".join(p.read_bytes() for p in thief.site.data.rglob("*") if p.is_file())
    assert SECRET not in files
    assert b"Roe" not in files


def test_with_the_intake_key_the_same_thief_would_read_it(site, tmp_path):
    """Reverse: what protects the older message is the keeper's private key and nothing that is in the copy."""
    with sites.gateway(site) as gate:
        older = gate.keep("s1", SECRET)
        gate.sealer.forget()
        thief = Thief(site, tmp_path / "stolen", gate.sealer, [])
        assert thief.try_everything(older) is None
    store = Store(site.keeper_folder)
    thief.keys = [key.private for key in keyring.exchanges(store, "intake")]
    store.close()
    assert thief.try_everything(older) == SECRET


DOCUMENTS = {
    "bundle": ("bundle", "active", b'{"links":{"ehr":{"classes":["patient.name"]}}}'),
    "link": ("link", "ehr", b'{"recipient":"ehr"}'),
    "role": ("role", "ada", b'{"may":["open"]}'),
    "device": ("device", "pump-1", b'{"status":"revoked"}'),
    "consent": ("consent", "s1", b'{"permit":false}'),
    "recipient-key": ("recipient-key", "registry", b'{"x25519":"AAAA"}'),
}

FORGERIES = {
    "body": "UPDATE authority SET body = CAST(replace(CAST(body AS TEXT), '\"', '''') AS BLOB) WHERE kind = '{kind}'",
    "one bit": "UPDATE authority SET body = CAST('X' || substr(CAST(body AS TEXT), 2) AS BLOB) WHERE kind = '{kind}'",
    "version raised": "UPDATE authority SET version = version + 1 WHERE kind = '{kind}' AND version = 2",
    "signature of the older": (
        "UPDATE authority SET signature = (SELECT signature FROM authority a WHERE a.kind = '{kind}' AND a.version = 1)"
        " WHERE kind = '{kind}' AND version = 2"
    ),
    "older body as newest": (
        "UPDATE authority SET body = (SELECT body FROM authority a WHERE a.kind = '{kind}' AND a.version = 1)"
        " WHERE kind = '{kind}' AND version = 2"
    ),
    "rolled back": "DELETE FROM authority WHERE kind = '{kind}' AND version = 2",
    "gone": "DELETE FROM authority WHERE kind = '{kind}'",
    "of another id": "UPDATE authority SET id = 'x' WHERE kind = '{kind}'",
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_who_writes_the_database_cannot_change_what_is_decided_unnoticed(site, name, forgery):
    kind, id_, body = DOCUMENTS[name]
    with asking(site, "admin") as admin:
        first = admin.sign_authority(kind, id_, 1, b'{"old":true}', [ME])
        second = admin.sign_authority(kind, id_, 2, body, [ME, OTHER])
        engine = connect(site.database_url)
        with write(engine) as db:
            authority.put_all(db, [first, second])

        def load():
            """As a process that has just started."""
            with asking(site, "app") as app, read(engine) as db:
                seen = Seen(app.newest())
                return authority.load(db, site.site.name, kind, id_, trust_anchor(site), seen).body

        assert load() == body
        change(site, FORGERIES[forgery].format(kind=kind))
        with pytest.raises(AuthorityError) as caught:
            load()
        assert caught.value.reason in {Reason.SIGNATURE_INVALID, Reason.AUTHORITY_STALE}
        engine.dispose()


def test_without_the_newest_versions_a_rollback_would_go_unnoticed(site):
    """Reverse: signatures alone do not stop a rollback; what the keeper says is newest does."""
    with asking(site, "admin") as admin:
        documents = [admin.sign_authority("consent", "s1", n, b"%d" % n, [ME]) for n in (1, 2)]
    engine = connect(site.database_url)
    with write(engine) as db:
        authority.put_all(db, documents)
    change(site, "DELETE FROM authority WHERE version = 2")
    with read(engine) as db:
        assert authority.load(db, "demo", "consent", "s1", trust_anchor(site), Seen()).body == b"1"
    engine.dispose()


def test_a_gateway_cannot_have_anything_signed(site):
    for role in ("gateway", "courier", "app"):
        with asking(site, role) as own:
            for proof in (ME, {}):
                reason = refused(lambda c=own, p=proof: c.sign_authority("role", "me", 1, b"{}", [p]))
                assert reason is Reason.NOT_PERMITTED


def test_a_key_of_the_database_cannot_become_the_trust_anchor(site):
    anchor = site.data / "trust" / "authority.pub"
    from oathward.vault.sign import Signer, save_verifier

    save_verifier(Signer.create("oathward/demo/authority"), anchor)
    with pytest.raises(AuthorityError):
        client.connect(site, "admin")


def test_an_old_database_with_todays_keeper_does_not_open_an_erased_subject(site, tmp_path):
    """Both kinds of old rows: keys the keeper had taken, and keys still on their way when the copy was made."""
    with sites.gateway(site) as gate, asking(site, "admin") as admin:
        taken = gate.keep("gone", SECRET)
        admin.open("gone", [taken], "TREAT", ME)
        gate.sealer.forget()
        on_its_way = gate.keep("gone", SECRET)
        stays = gate.keep("stays", b"stays")
        backup = tmp_path / "backup.db"
        source, copy = sqlite3.connect(site.data / "oathward.db"), sqlite3.connect(backup)
        source.backup(copy)
        copy.close()
        source.close()
        admin.erase("gone", "gdpr.art17", ME)
    for suffix in ("-wal", "-shm"):
        (site.data / f"oathward.db{suffix}").unlink(missing_ok=True)
    shutil.copyfile(backup, site.data / "oathward.db")
    with asking(site, "admin") as admin:
        engine = connect(site.database_url)
        with read(engine) as db:  # the old rows are back, the body is on disk
            assert [k.state for k in kept.find(db, "demo", [taken, on_its_way])] == ["kept", "kept"]
            assert intake.waiting(db, "demo", 10, subject="gone")
        for message in (taken, on_its_way):
            assert refused(lambda m=message: admin.open("gone", [m], "TREAT", ME)) is Reason.KEY_DESTROYED
            reason = refused(lambda m=message: admin.export_open([m], "SYSADMIN", "release.test", ME))
            assert reason is Reason.KEY_DESTROYED
        assert admin.open("stays", [stays], "TREAT", ME)[0].data.reveal() == b"stays"
        with read(engine) as db:
            assert not intake.waiting(db, "demo", 10, subject="gone")
        engine.dispose()


def test_without_the_erasure_the_old_database_would_open(site):
    """Reverse of the above: the same rows open when the subject was not erased."""
    with sites.gateway(site) as gate, asking(site, "admin") as admin:
        one = gate.keep("gone", SECRET)
        assert admin.open("gone", [one], "TREAT", ME)[0].data.reveal() == SECRET


def test_rotation_of_the_site_key_under_load(site):
    """Threads seal and open all the while; afterwards everything opens with the new key, nothing with the old."""
    admin = client.connect(site, "admin")
    sealed: dict[str, tuple[str, bytes]] = {}
    errors: list[Exception] = []
    stop = threading.Event()

    def seal_and_open(n: int) -> None:
        try:
            with sites.gateway(site, writer=f"gateway-{n}") as gate:
                turn = 0
                while not stop.is_set():
                    turn += 1
                    subject, data = f"s{n}-{turn % 5}", b"%d-%d" % (n, turn)
                    message = gate.keep(subject, data, message=f"m-{n}-{turn}")
                    sealed[message] = (subject, data)
                    if turn % 3 == 0:
                        gate.sealer.forget()
                    (opened,) = admin.export_open([message], "SYSADMIN", "release.test", ME)
                    assert opened.data.reveal() == data
        except (OathwardError, AssertionError) as error:  # the main thread tells
            errors.append(error)

    keeper = admin._transport._keeper
    keeper.settings = dataclasses.replace(
        site,
        keeper=dataclasses.replace(
            site.keeper, openings_per_person_per_hour_max=10**6, openings_per_hour_max=10**6
        ),
    )
    old = [site_key.load(site.keeper_folder, 1)]
    threads = [threading.Thread(target=seal_and_open, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        stop.wait(0.3)
        generation = admin.rotate_site_key(ME)
        old.append(site_key.load(site.keeper_folder, generation))
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(sealed) > 20
    for message, (subject, data) in sealed.items():
        assert admin.open(subject, [message], "TREAT", ME)[0].data.reveal() == data
    admin.close()
    new_key = old.pop()
    assert_opens_only_with(site, new_key, old)


def assert_opens_only_with(site, new_key: bytes, old_keys: list[bytes]) -> None:
    assert [p.read_bytes() for p in site.keeper_folder.glob("site-*.key")] == [new_key]
    raw = b"".join(p.read_bytes() for p in site.keeper_folder.rglob("*") if p.is_file())
    for key in old_keys:
        assert key not in raw
        path = site_key.key_path(site.keeper_folder, 5)
        path.write_bytes(key)
        with pytest.raises(VaultError):
            Store(site.keeper_folder)
        path.write_bytes(new_key)
    store = Store(site.keeper_folder)
    assert store.rows("SELECT COUNT(*) FROM data_key")[0][0] > 0
    store.close()
