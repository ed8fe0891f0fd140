"""Commands that ask a server: signing in there, lists, what the server refuses, and what is kept of it."""

import io
import json
import stat

import pytest
from tests.site import Site
from tests.unit.vault.keeper.people import PASSWORD, founded
from tests.unit.web import estate
from tests.unit.web.people import copied

from oathward.cli import main, remote, signed_in
from oathward.core.db import connect
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.settings import Console
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper.sign_in import notices
from oathward.vault.opened import Opened
from oathward.web.serving.server import Server


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder with two vendors' devices, before it has people."""
    site = Site.make(tmp_path_factory.mktemp("remote") / "s")
    estate.fill(site)
    return site


@pytest.fixture
def house(filled, tmp_path, monkeypatch):
    """A founded site whose console is served on a socket; the command line has a folder of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings = copied(filled.settings.data, tmp_path / "site")
    with founded(settings) as found:
        engine = connect(settings.database_url)
        site = Opened(settings, "app", engine, found.time.clock, found.app, trust_anchor(settings), Seen())
        server = Server(site, Console(port=0))
        monkeypatch.setenv("OATHWARD_SERVER", f"http://127.0.0.1:{server.port}")
        yield found
        server.stop()
        engine.dispose()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command as a person types it; gives exit code, what was printed, and what was said of errors."""

    def one(*words: str, typed: str = ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main.run([*words, "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out or "null"), said.err

    return one


def url() -> str:
    return remote.server_of(None)


@pytest.fixture
def ada(house, run):
    """An integration engineer who is signed in at the server."""
    house.person("ada", Role.INTEGRATION_ENGINEER, name="Ada Engineer")
    phone = house.enrol("ada", "ada")[1]
    code, told, _ = run("sign-in", "--stdin", typed=f"ada\n{PASSWORD}\n{phone.code()}\n")
    assert (code, told["person"]) == (0, "Ada Engineer")
    house.time.pass_(seconds=60)
    return phone


def test_the_token_is_kept_for_nobody_else_to_read(ada):
    file = signed_in.file_of(url())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text().startswith("p_")
    assert PASSWORD not in file.read_text()


def test_lists_are_the_servers(ada, run):
    code, told, _ = run("device", "list")
    assert (code, [one["id"] for one in told["devices"]]) == (0, [estate.OURS, "acme-2", estate.OTHERS])
    assert [one["id"] for one in run("device", "list", "--kind", "monitor")[1]["devices"]] == []
    held = run("quarantine", "list")[1]["held"]
    assert {one["message"] for one in held} == {estate.message_id(2), estate.message_id(3)}
    assert len(run("quarantine", "list", "--limit", "1")[1]["held"]) == 1


def test_what_the_role_may_not_see_is_not_there(ada, run):
    code, told, error = run("people", "list")
    assert (code, told) == (66, None)
    assert json.loads(error)["error"] == "not-found"


def test_a_release_is_an_order_of_the_person_and_its_end_is_told(ada, run, house, monkeypatch):
    monkeypatch.setattr(remote, "SETTLE_S_MAX", 0.0)
    code, told, _ = run("quarantine", "release", estate.message_id(2), "--why", "seen by biomed")
    assert (code, told["state"], told["messages"]) == (1, "waiting", [estate.message_id(2)])
    assert house.keeper.orders.waiting() == 1
    assert run("quarantine", "release", "--all-with-reason", "patient.ambiguous", "--why", "x")[0] == 65


@pytest.mark.parametrize(
    ("login", "password", "wrong_code"),
    [("ada", "not her password at all", False), ("ada", PASSWORD, True), ("nobody", PASSWORD, False)],
)
def test_whatever_is_wrong_is_one_answer(house, run, login, password, wrong_code):
    house.person("ada", Role.INTEGRATION_ENGINEER)
    phone = house.enrol("ada", "ada")[1]
    typed = f"{login}\n{password}\n{'000000' if wrong_code else phone.code()}\n"
    code, told, error = run("sign-in", "--stdin", typed=typed)
    assert (code, told) == (77, None)
    told = json.loads(error)
    assert (told["error"], told["where"]) == ("sign-in.refused", "server")
    assert login not in error
    assert not signed_in.remembered(url())


def test_somebody_without_a_second_factor_is_sent_to_enrol(house, run):
    house.person("ben", Role.AUDITOR)
    step = house.people.enrol_begin(house.invited("ben", "ben"), "")
    house.people.enrol_password(PASSWORD, step.pending)
    error = run("sign-in", "--stdin", typed=f"ben\n{PASSWORD}\n000000\n")[2]
    assert json.loads(error)["error"] == "factor.missing"


def test_after_signing_in_is_said_what_another_did_to_it(ada, run, house, capsys):
    assert run("sign-in", "--again", "--stdin", typed=f"{ada.code()}\n")[1]["notices"] == []
    house.person("ben", name="Ben Builder")
    notices.add(house.keeper, ["ada"], "ben", "provider")
    house.time.pass_(seconds=60)
    typed = f"ada\n{PASSWORD}\n{ada.code()}\n"
    code, told, _ = run("sign-in", "--stdin", typed=typed)
    assert (code, [one["words"] for one in told["notices"]], told["waiting"]) == (
        0,
        [
            "Ben Builder wrote a sign-in at the provider into your record: whoever has it there signs in as you"
        ],
        [],
    )


def test_a_fresh_proof_is_asked_for_and_given_with_a_code(ada, run, house):
    before = signed_in.remembered(url())
    code, told, _ = run("sign-in", "--again", "--stdin", typed=f"{ada.code()}\n")
    assert (code, told["person"]) == (0, "Ada Engineer")
    assert signed_in.remembered(url()) != before, "the session has another secret now"
    assert run("device", "list")[0] == 0


def test_after_signing_out_the_token_is_none_anywhere(ada, run):
    token = signed_in.remembered(url())
    assert run("sign-out")[1] == {"signed_in": True}
    assert run("sign-out")[1] == {"signed_in": False}
    code, _, error = run("device", "list")
    assert (code, json.loads(error)["error"]) == (77, "access.sign-in")
    signed_in.remember(url(), token)
    error = run("device", "list")[2]
    assert json.loads(error)["error"] == "token.invalid"
    assert "sign-in --server" in json.loads(error)["why"]


@pytest.mark.parametrize(
    "address",
    ["http://oathward.example", "ftp://127.0.0.1", "https://", "127.0.0.1:1", "https://a@b.example", "https://a.example/x", "https://[::1", "http://127.0.0.1.example"],
)  # fmt: skip
def test_tokens_go_nowhere_in_the_clear(address):
    with pytest.raises(InputError):
        remote.server_of(address)


def test_an_address_of_this_machine_or_encrypted_is_one():
    for address in ("https://a.example", "https://a.example:8443/", "http://127.0.0.1:1", "http://[::1]:9"):
        assert remote.server_of(address) == address.rstrip("/")


def test_a_server_that_is_none_is_told(house, run, monkeypatch):
    monkeypatch.setenv("OATHWARD_SERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("OATHWARD_TOKEN", "p_" + "x" * 43)
    assert json.loads(run("device", "list")[2])["error"] == "keeper.unavailable"


def test_what_a_server_says_moves_no_cursor():
    assert remote._said("a\x1b[2K\x1b[1Ab") == "a�[2K�[1Ab"
    assert remote._said(["x" + chr(0x202E), {"role": "auditor"}]) == "x�, auditor"
    assert remote._said("Müller, 東京") == "Müller, 東京"
