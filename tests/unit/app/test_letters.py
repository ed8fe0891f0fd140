"""Letters to holders of the portal reach a real mail server, encrypted, and say no more than they must."""

import ssl
from datetime import UTC, datetime
from string import Formatter

import pytest
import structlog
from tests.mailbox import mailbox
from tests.unit.vault.keeper.people import Direct, founded
from tests.unit.vault.sites import make_site

from oathward.app import letters
from oathward.core.errors import SettingsError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.settings import load
from oathward.vault import certificates
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper import subjects
from oathward.vault.keeper.client import Client

ADDRESS = "rosa.lind@example.org"
PORTAL = '[portal]\nurl = "https://patients.example"\n'


def settings_of(tmp_path, **mail):
    rows = {"sender": "smtp", "tls": "none", "sent_from": "portal@hospital.example", **mail}
    folder = tmp_path / "site"
    folder.mkdir()
    said = "".join(f"{k} = {v if isinstance(v, int) else chr(34) + v + chr(34)}\n" for k, v in rows.items())
    (folder / "oathward.toml").write_text(f"{PORTAL}[mail]\n{said}")
    make_site(folder)
    return load(folder)


def invited(house, language="en"):
    """Invite somebody; gives the portal's client."""
    house.person("p-privacy", Role.PRIVACY_OFFICER)
    step, _ = house.enrol("p-privacy")
    subject = uuid7()
    subjects.seed(house.keeper.store, house.keeper.site, subject, "p")
    staff = proving.console_proof(step.secret)
    house.app.portal.invite(subject, Phi("Rosa Lind"), Phi(ADDRESS), staff, language=language)
    return Client(Direct(house.keeper, "portal"), "portal", trust_anchor(house.settings)).portal


def certificate(folder):
    """Make a mail server's certificate and who vouches for it; gives the server's side and the other's file."""
    now = datetime.now(UTC)
    ca = certificates.new_authority("mail CA", now)
    private, public = certificates.new_key()
    made = certificates.certify_server(ca, ["127.0.0.1"], public, now)
    (folder / "mail.pem").write_bytes(private + certificates.to_pem(made))
    (folder / "mail-ca.pem").write_bytes(certificates.to_pem(ca.certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mail.pem")
    return context, str(folder / "mail-ca.pem")


@pytest.mark.parametrize("wrapped", [False, True])
def test_from_the_invitation_to_the_session_by_what_stands_in_the_mailbox(tmp_path, wrapped):
    context, ca = certificate(tmp_path)
    (tmp_path / "secret").write_text("a long word\n")
    with mailbox(context=context, password="a long word", wrapped=wrapped) as box:
        settings = settings_of(
            tmp_path, port=box.port, tls="tls" if wrapped else "starttls", ca_file=ca, user="portal",
            password_file=str(tmp_path / "secret"),
        )  # fmt: skip
        with founded(settings) as house, structlog.testing.capture_logs() as logs:
            portal = invited(house)
            assert letters.turn(settings, house.app.portal) == 1
            (letter,) = box.letters
            assert (letter["To"], letter["From"]) == (ADDRESS, "portal@hospital.example")
            body = letter.get_content()
            key = body.partition("https://patients.example/enrol?key=")[2].split()[0]
            entry = portal.enrol_begin(key, "203.0.113.9")
            letters.turn(settings, house.app.portal)
            code = box.letters[1].get_content().partition("Your code is ")[2][:6]
            assert portal.sign_in_code(entry.pending, code, "203.0.113.9").state == "signed-in"
            assert letters.turn(settings, house.app.portal) == 0, "each goes out once"
        assert box.encrypted == [True, True]
        assert ADDRESS not in str(logs)
        assert code not in box.letters[1]["Subject"]


def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path):
    context, _ = certificate(tmp_path)
    with mailbox(context=context) as box:
        settings = settings_of(tmp_path, port=box.port, tls="starttls")
        with founded(settings) as house:
            invited(house)
            assert letters.turn(settings, house.app.portal) == 0
        assert box.letters == []
        assert box.recipients == []


def test_a_server_without_encryption_is_told_nothing(tmp_path):
    with mailbox() as box:
        settings = settings_of(tmp_path, port=box.port, tls="starttls")
        with founded(settings) as house:
            invited(house)
            assert letters.turn(settings, house.app.portal) == 0
        assert box.recipients == []


def test_a_letter_that_was_refused_is_tried_again_and_is_there_once(tmp_path):
    with mailbox(refuse=2) as box:
        settings = settings_of(tmp_path, port=box.port)
        with founded(settings) as house, structlog.testing.capture_logs() as logs:
            invited(house)
            for _ in range(4):
                letters.turn(settings, house.app.portal)
                house.time.pass_(minutes=10)
        assert len(box.letters) == 1
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["letter not sent"] * 2
    assert ADDRESS not in str(logs)


def test_as_files_each_letter_is_one_for_its_owner_alone_in_the_holders_language(tmp_path):
    settings = settings_of(tmp_path, sender="file")
    with founded(settings) as house:
        invited(house, language="es")
        assert letters.turn(settings, house.app.portal) == 1
    (path,) = (settings.data / "letters").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Hola, Rosa Lind" in path.read_text()


def test_every_language_has_every_letter_with_the_same_places():
    for kind in letters.KINDS:
        places = {
            language: sorted(name for _, name, *_ in Formatter().parse(said[kind]["body"]) if name)
            for language, said in letters.texts().items()
        }
        assert len({tuple(one) for one in places.values()}) == 1, (kind, places)
        assert all(said[kind]["subject"] for said in letters.texts().values())
        assert all("{" not in said[kind]["subject"] for said in letters.texts().values())


@pytest.mark.parametrize(
    ("mail", "place"),
    [
        ({"sender": "pigeon"}, "sender"),
        ({"tls": "maybe"}, "tls"),
        ({"tls": "none", "host": "mail.example"}, "tls"),
        ({"sent_from": ""}, "sent_from"),
        ({"user": "portal"}, "password_file"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_named(tmp_path, mail, place):
    with pytest.raises(SettingsError, match=rf"\[mail\] {place}"):
        settings_of(tmp_path, **mail)
