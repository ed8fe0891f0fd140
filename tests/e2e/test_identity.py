"""Who may speak: certificates bound to senders, revocation on open connections, TLS floor, wrong and missing certificates."""

import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.site import Site, bundle, certified
from tests.wire import Client, Recipient, oru

from oathward.vault import certificates
from oathward.vault.keeper import keyring
from oathward.vault.keeper.store import Store


@pytest.fixture(scope="module")
def tls_site(tmp_path_factory):
    recipient = Recipient()
    site = Site.make(tmp_path_factory.mktemp("tls"), tls=True)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(
        certified("pump-1", "PUMP1", kind="pump"),
        certified("pump-2", "PUMP2", kind="pump"),
        certified("pump-3", "PUMP3", kind="pump"),
    )
    expired_certificate(site)
    site.start()
    site.recipient = recipient
    yield site
    site.stop()
    recipient.close()


def certificate(site, device):
    folder = site.folder / "certs" / device
    if not (folder / f"{device}.key").exists():  # a key is never overwritten
        site.cli("device", "cert", device, "--out", str(folder))
    return folder


def context_of(site, folder=None, **limits):
    context = ssl.create_default_context(cafile=str(site.folder / "trust" / "device-ca.pem"))
    if folder is not None:
        [key] = folder.glob("*.key")
        [cert] = (p for p in folder.glob("*.pem") if "ca" not in p.name)
        context.load_cert_chain(cert, key)
    for name, value in limits.items():
        setattr(context, name, value)
    return context


def test_a_certificate_names_the_device_and_its_messages_flow(tls_site):
    folder = certificate(tls_site, "pump-1")
    with Client(tls_site.port("mllp_tls"), context=context_of(tls_site, folder)) as client:
        assert client.send(oru("T1", sender="PUMP1", value="41.5")) == "AA"
    tls_site.wait(lambda: b"41.5" in tls_site.recipient.values())
    assert [r["body"]["assurance"] for r in tls_site.records("message.accepted")] == ["certificate"]


def test_a_certificate_of_one_device_cannot_speak_as_another(tls_site):
    folder = certificate(tls_site, "pump-2")
    with Client(tls_site.port("mllp_tls"), context=context_of(tls_site, folder)) as client:
        assert client.send(oru("T2", sender="PUMP1", value="42.5")) == "AA", "stored, and held"
    held = tls_site.cli("quarantine", "list", "--reason", "device.identity-mismatch")["held"]
    assert len(held) == 1
    time.sleep(0.3)
    assert b"42.5" not in tls_site.recipient.values()


def test_msh_3_alone_names_nobody(tls_site):
    with Client(tls_site.port()) as client:
        assert client.send(oru("T3", sender="PUMP1", value="43.5")) == "AA"
    assert tls_site.cli("quarantine", "list", "--reason", "device.unknown")["held"]
    time.sleep(0.3)
    assert b"43.5" not in tls_site.recipient.values()


def test_a_revoked_device_is_cut_off_on_its_open_connection(tls_site):
    folder = certificate(tls_site, "pump-3")
    with Client(tls_site.port("mllp_tls"), context=context_of(tls_site, folder)) as client:
        assert client.send(oru("V1", sender="PUMP3", value="44.5")) == "AA"
        tls_site.cli("device", "revoke", "pump-3", "--why", "stolen")
        began = time.monotonic()
        client.socket.settimeout(60)
        assert client.answer() is None
        assert time.monotonic() - began < 60
    tls_site.wait(
        lambda: any(
            r["body"]["reason"] == "connection.certificate-revoked"
            for r in tls_site.records("connection.refused")
        )
    )
    with Client(tls_site.port("mllp_tls"), context=context_of(tls_site, folder)) as client:
        answered = client.send(oru("V2", sender="PUMP3", value="45.5"))
    assert answered in {"AA", "closed"}
    time.sleep(0.3)
    assert b"45.5" not in tls_site.recipient.values()


def refused(site, context):
    """Whether the door refuses a handshake (TLS 1.3 tells a client without certificate only at its first read)."""
    try:
        with Client(site.port("mllp_tls"), context=context) as client:
            return client.send(oru("X1", sender="PUMP1")) == "closed"
    except (ssl.SSLError, ConnectionError):
        return True


def test_no_certificate_is_refused(tls_site):
    assert refused(tls_site, context_of(tls_site))


def test_tls_below_1_2_is_refused(tls_site):
    folder = certificate(tls_site, "pump-1")
    context = context_of(tls_site, folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert refused(tls_site, context)


def test_a_certificate_of_another_ca_is_refused(tls_site, tmp_path):
    """Self-made with openssl: the same name, not our signature."""
    key, cert = tmp_path / "k.key", tmp_path / "c.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(cert),
               "-days", "30", "-subj", "/CN=pump-1", "-addext", "subjectAltName=URI:urn:oathward:device:pump-1"]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    assert refused(tls_site, context_of(tls_site, tmp_path))


def test_an_expired_certificate_of_ours_is_refused(tls_site):
    assert refused(tls_site, context_of(tls_site, tls_site.folder / "expired"))


def expired_certificate(site):
    """Issue one for pump-1 as of three years ago, with the site's own CA, before it is served."""
    store = Store(site.settings.keeper_folder)
    try:
        now = datetime.now(UTC)
        ca = keyring.device_ca(store, site.settings.site.name, now)
        private, public = certificates.new_key()
        der = certificates.certify_device(ca, "pump-1", public, now - timedelta(days=3 * 366))
    finally:
        store.close()
    folder = site.folder / "expired"
    folder.mkdir()
    (folder / "pump-1.key").write_bytes(private)
    (folder / "pump-1.pem").write_bytes(certificates.to_pem(der))
