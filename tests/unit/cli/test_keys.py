"""``oathward keys``: what it does, says, and with which code it ends."""

import base64
import json
import subprocess

import pytest
from tests.unit.vault import sites
from tests.unit.vault.sites import asking, safe

from oathward.app import create
from oathward.cli.main import run
from oathward.core.settings import load
from oathward.courier.carry import carry_fhir
from oathward.vault import kept, recipient
from oathward.vault.authority import Document, trust_anchor, verify
from oathward.vault.seal import PublicKey, Sealer


@pytest.fixture
def site(tmp_path):
    settings = load(tmp_path / "data")
    create(settings)
    return settings


@pytest.fixture
def keys(site, capfdbinary):
    def ask(*arguments, code=0):
        assert run(["keys", *arguments, "--data", str(site.data), "--json"]) == code
        return json.loads(capfdbinary.readouterr().out or b"null")

    return ask


@pytest.fixture
def envelope():
    """A sealer's envelope for a public key in base64."""

    def make(public: str) -> bytes:
        other = PublicKey("k", bytes([9]) + bytes(31), 2**60)
        sealer = Sealer("demo", other, other)
        return sealer.seal_outgoing(safe(), "research", "m", "out-1", base64.b64decode(public)).data

    return make


def test_status_counts_what_the_keeper_holds(site, keys):
    with asking(site, "gateway") as gate:
        gate.seed("s", "p")
    said = keys("status")
    assert (said["site"], said["subjects"], said["site_key"], said["witness"]) == ("demo", 1, 1, "none")


def test_rotate_changes_the_site_key_and_the_days_keys(site, keys):
    assert keys("rotate", "--yes")["generation"] == 2
    assert keys("rotate", "site", "--yes")["generation"] == 3
    with asking(site, "gateway") as gate:
        before = gate.hello()
    assert keys("rotate", "intake")["id"] != before.intake.id
    assert keys("rotate", "outbox")["id"] != before.outbox.id


def test_erase_gives_a_certificate_that_a_stranger_verifies(site, keys, tmp_path):
    with sites.gateway(site) as gate:
        gate.keep("s1", b"x")
    said = keys("erase", "s1", "--reason", "gdpr.art17", "--yes", "--out", str(tmp_path / "c.json"))
    assert said["originals"] == 1
    whole = json.loads((tmp_path / "c.json").read_bytes())
    assert whole == said["certificate"]
    document = Document(
        whole["site"], whole["kind"], whole["id"], whole["version"],
        whole["body"].encode(), bytes.fromhex(whole["signature"]),
    )  # fmt: skip
    verify(document, trust_anchor(site))


def test_erase_says_what_it_could_not_reach(site, keys, capfdbinary):
    """What was held before anybody knew whose it is may be about the person: counted by day, never erased with them."""
    day = f"{kept.NOBODYS}20260504"
    with sites.gateway(site) as gate:
        gate.keep("s1", b"x")
        gate.keep("s2", b"x")
        for message in ("a", "b"):
            gate.keep(day, b"x", purpose="quarantine", message=message)
    first = keys("erase", "s1", "--reason", "gdpr.art17", "--yes")
    assert (first["originals"], first["unreached"]) == (1, {day: 2})
    assert run(["keys", "erase", "s2", "--reason", "gdpr.art17", "--yes", "--data", str(site.data)]) == 0
    words = capfdbinary.readouterr().out.decode()
    assert f"Not reached: 2 messages held before anybody knew whose they are: {day} (2)." in words
    last = keys("erase", day, "--reason", "gdpr.art17", "--yes")
    assert (last["originals"], last["unreached"]) == (2, {})


def test_erase_asks_or_is_told(site, keys):
    with sites.gateway(site) as gate:
        gate.keep("s1", b"x")
    keys("erase", "s1", "--reason", "gdpr.art17", code=65)
    keys("erase", "s1", "--reason", "Mrs Roe", "--yes", code=65)


def test_backup_makes_a_copy(site, keys):
    assert keys("backup")["file"].startswith(str(site.keeper_folder / "backups"))


def test_nobody_is_erased_whom_nobody_knows(site, keys, monkeypatch):
    from oathward.cli import keys as command

    erase = ("erase", "nope", "--reason", "gdpr.art17", "--yes")
    before = keys("status")
    keys(*erase, code=66)
    assert keys("status") == before
    assert before["tombstones"] == 0
    assert (
        not (site.data / "trust" / "tombstones").exists()
        or not (site.data / "trust" / "tombstones").stat().st_size
    )
    monkeypatch.setattr(command, "_has_traces", lambda *_: True)
    keys(*erase)
    assert keys("status")["tombstones"] == 1  # the reverse: it is the check that keeps this from happening


def test_who_was_erased_can_be_erased_again(site, keys):
    with sites.gateway(site) as gate:
        gate.keep("s1", b"x")
    erase = ("erase", "s1", "--reason", "gdpr.art17", "--yes")
    assert keys(*erase)["tombstone"] == keys(*erase)["tombstone"]


def test_the_site_key_changes_only_when_somebody_is_sure(site, keys):
    keys("rotate", code=65)
    assert keys("status")["site_key"] == 1
    made = keys("rotate", "--yes")["file"]
    assert [str(path) for path in site.keeper_folder.glob("site-*.key")] == [made]


def test_people_get_words(site, capsys):
    with sites.gateway(site) as gate:
        gate.keep("s", b"x")
    for arguments in (
        ["status"],
        ["rotate", "--yes"],
        ["backup"],
        ["erase", "s", "--reason", "gdpr.art17", "--yes"],
    ):
        assert run(["keys", *arguments, "--data", str(site.data)]) == 0
        said = capsys.readouterr().out
        assert said
        assert "{" not in said


def test_a_recipient_makes_a_key_and_opens_what_is_sent(tmp_path, capfdbinary, envelope):
    key = tmp_path / "k"
    assert run(["keys", "recipient", "--out", str(key), "--json"]) == 0
    public = json.loads(capfdbinary.readouterr().out)["public_key"]
    assert key.stat().st_mode & 0o777 == 0o600
    sealed = envelope(public)
    hl7 = b"MSH|^~\\&|OATHWARD||||20300101||ZOW^Z01|out-1|P|2.6\rZOW|1|" + base64.b64encode(sealed) + b"\r"
    forms = (sealed, base64.b64encode(sealed) + b"\n", hl7, carry_fhir("OUT-1", sealed))
    for form in forms:
        (tmp_path / "e").write_bytes(form)
        assert run(["keys", "unseal", str(tmp_path / "e"), "--key", str(key)]) == 0
        assert capfdbinary.readouterr().out == safe().data
    out = tmp_path / "message"
    assert run(["keys", "unseal", str(tmp_path / "e"), "--key", str(key), "--out", str(out), "--json"]) == 0
    said = json.loads(capfdbinary.readouterr().out)
    assert (said["site"], said["link"], said["outgoing_id"]) == ("demo", "research", "out-1")
    assert out.read_bytes() == safe().data
    assert out.stat().st_mode & 0o777 == 0o600


def test_what_does_not_open_says_so_and_writes_nothing(tmp_path, capfd, envelope):
    key, other = tmp_path / "k", tmp_path / "o"
    public = recipient.new_key(key)
    recipient.new_key(other)
    sealed = envelope(public)
    for number, (data, with_key) in enumerate(
        [
            (sealed, other),
            (sealed[:-1], key),
            (b"", key),
            (b"MSH|^~\\&|\rZOW|1|!!\r", key),
            (b"MSH|", key),
            (b"AAAA", key),
            (b'{"resourceType":"Binary","data":7}', key),
            (b"{", key),
        ]
    ):
        (tmp_path / "e").write_bytes(data)
        out = tmp_path / f"out-{number}"
        assert run(["keys", "unseal", str(tmp_path / "e"), "--key", str(with_key), "--out", str(out)]) != 0
        assert not out.exists()
        assert "error[" in capfd.readouterr().err
    assert run(["keys", "recipient", "--out", str(key)]) == 65  # a key is never written over
    key.chmod(0o644)
    assert run(["keys", "unseal", str(tmp_path / "e"), "--key", str(key)]) != 0


def test_keys_of_other_makers_are_read(tmp_path):
    openssl = subprocess.run(["openssl", "genpkey", "-algorithm", "X25519"], capture_output=True, check=False)
    if openssl.returncode:
        pytest.skip("no openssl")
    path = tmp_path / "k"
    for content in (openssl.stdout, bytes(range(32)), base64.b64encode(bytes(range(32))) + b"\n"):
        path.write_bytes(content)
        path.chmod(0o600)
        assert len(recipient.load_key(path)) == 32
    rsa = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ED25519"], capture_output=True, check=True
    ).stdout
    for content in (rsa, b"", b"x" * 33, b"-----BEGIN " + b"PRIVATE KEY-----\n"):
        path.write_bytes(content)
        with pytest.raises(recipient.InputError):
            recipient.load_key(path)
