"""The process ``portal``: a socket of its own that takes nothing of staff, a database it cannot write, none where it is off."""

import asyncio
import dataclasses
import os
import signal

import pytest
from sqlalchemy import text
from tests.site import Site

from oathward.app import build
from oathward.app import portal as process
from oathward.core import users
from oathward.core.db import read, write
from oathward.core.errors import KeeperError, OathwardError, SettingsError, StorageError
from oathward.core.reasons import Reason
from oathward.core.settings import load, moved
from oathward.supervisor import Supervisor
from oathward.vault.keeper.operations import table
from oathward.vault.keeper.server import Server, sockets_of
from oathward.web.serving.server import tls_of

ON = "[portal]\nport = 0\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Site.make(tmp_path_factory.mktemp("portal") / "s", more=ON)


@pytest.fixture
def portal(made):
    keeper = Server(made.settings)
    site = build(made.settings, "portal", become_keeper=False)
    yield site
    site.keeper.close()
    site.engine.dispose()
    keeper.stop()


def of_others():
    """Every operation of another role that the portal has not as well."""
    own = {*table.TABLES["any"], *table.TABLES.get("portal", {})}
    return sorted(
        {(role, name) for role, entries in table.TABLES.items() for name in entries if name not in own}
    )


def test_a_captured_portal_can_ask_nothing_of_staff_and_nothing_of_other_processes(portal):
    asked = of_others()
    assert len(asked) > 60
    for role, name in asked:
        with pytest.raises(KeeperError) as refused:
            portal.keeper._call(name)
        assert refused.value.reason is Reason.NOT_PERMITTED, (role, name)
        assert refused.value.where == "operation"


def test_no_operation_of_the_portal_opens_signs_or_changes_for_staff():
    """Its own operations are its alone, or of everybody; none is lent from staff."""
    staff = {name for role in ("app", "admin", "gateway", "courier") for name in table.TABLES[role]}
    assert staff.isdisjoint(table.TABLES.get("portal", {}))


def test_the_database_refuses_what_a_portal_would_write(portal):
    with read(portal.engine) as db:
        assert db.execute(text("SELECT COUNT(*) FROM ledger_record")).scalar() is not None
    with pytest.raises(StorageError), write(portal.engine) as db:
        db.execute(text("DELETE FROM ledger_record"))


def test_another_process_writes_all_the_same(made):
    with made.admin() as site, write(site.engine) as db:
        db.execute(text("DELETE FROM ledger_record WHERE idx < 0"))


def test_where_it_is_off_it_has_no_socket_no_process_and_needs_no_user(tmp_path):
    off = load(tmp_path)
    on = dataclasses.replace(off, portal=dataclasses.replace(off.portal, port=0))
    assert "portal" not in sockets_of(off)
    assert "portal" in sockets_of(on)
    assert "portal" not in Supervisor(off, print)._children
    assert list(Supervisor(on, print)._children)[-1] == "portal"
    assert "portal" not in users.why_not_separated(off)
    assert "portal" in users.why_not_separated(on)


def test_a_port_base_moves_it_only_where_it_is_on(tmp_path):
    off = load(tmp_path)
    on = dataclasses.replace(off, portal=dataclasses.replace(off.portal, port=0))
    assert moved(off, 3_000).portal.port == -1
    assert moved(on, 3_000).portal.port == 3_005


@pytest.mark.parametrize(
    ("text_of", "place"),
    [
        ('host = "0.0.0.0"', "host"),
        ('host = "0.0.0.0"\ncertificate = "a"\nkey = "b"', "host"),
        ('certificate = "a"', "certificate"),
        ('url = "http://patients.example"', "url"),
        ('url = "https://patients.example/here"', "url"),
        ('leave_url = "http://weather.example"', "leave_url"),
        ('leave_url = "javascript:alert(1)"', "leave_url"),
        ("port = 2579", "port"),
    ],
)
def test_settings_that_would_let_pages_out_in_clear_are_refused(tmp_path, text_of, place):
    (tmp_path / "oathward.toml").write_text(
        f"[portal]\nport = 2580\n{text_of}\n".replace("port = 2580\nport", "port")
    )
    with pytest.raises(SettingsError) as refused:
        load(tmp_path)
    assert place in refused.value.where


def test_a_certificate_that_is_not_there_names_the_portals_setting(made, portal):
    settings = dataclasses.replace(made.settings.portal, certificate="none.pem", key="none.key")
    with pytest.raises(SettingsError, match=r"\[portal\] certificate"):
        tls_of(portal, settings)


class Said:
    """A status that is kept in a list."""

    def __init__(self, *_):
        self.states = STATES

    def write(self, state, **_):
        self.states.append(state)
        if state == "ready":
            os.kill(os.getpid(), signal.SIGTERM)

    def remove(self):
        self.states.append("removed")


STATES = []


@pytest.fixture
def said(monkeypatch):
    STATES.clear()
    monkeypatch.setattr(process, "Status", Said)
    return STATES


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_pages_that_cannot_be_made_end_the_process_before_it_says_that_it_is_ready(portal, said, monkeypatch):
    monkeypatch.setattr(process, "create", lambda _site: 1 / 0)
    with pytest.raises(OathwardError, match="ended by itself"):
        asyncio.run(process.run(portal))
    assert said == ["starting", "stopping", "removed"]


def test_pages_that_are_there_are_ready(portal, said):
    asyncio.run(process.run(portal))
    assert said == ["starting", "ready", "stopping", "removed"]


def test_nobody_else_of_this_machine_may_come_to_its_socket(made, portal):
    path = made.settings.run_folder / "keeper-portal.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_uid == os.geteuid()
