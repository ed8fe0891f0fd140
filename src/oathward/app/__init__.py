"""Wiring: settings in, an opened site out. The only place where parts are put together.

``build`` gives each process what its role needs and nothing else. ``python -m oathward.app ROLE`` is how
the supervisor starts them.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import oathward.accesses.sql
import oathward.changes.findings_sql
import oathward.changes.sql
import oathward.consent.notices.sql
import oathward.consent.sql
import oathward.disclosures.sql
import oathward.endpoints.sql
import oathward.findings.sql
import oathward.governance.sql
import oathward.inventory.sql
import oathward.jobs.sql
import oathward.ledger.tables
import oathward.messages.missing
import oathward.messages.sql
import oathward.messages.traffic
import oathward.network.sql
import oathward.patients.sql
import oathward.people.tables
import oathward.uploads.sql
import oathward.vault.authority
import oathward.vault.beds
import oathward.vault.care_orders
import oathward.vault.care_rows
import oathward.vault.deaths
import oathward.vault.intake
import oathward.vault.kept
import oathward.vault.shown
import oathward.vault.table_store  # noqa: F401  these imports declare every table
from oathward.core import users
from oathward.core.clock import Clock
from oathward.core.db import connect, create_tables
from oathward.core.settings import Settings
from oathward.vault import certificates
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import client, setup
from oathward.vault.keeper.proof import admin_proof
from oathward.vault.opened import Opened
from oathward.vault.sign import write_file

if TYPE_CHECKING:
    from oathward.vault.keeper.changing.papers import Register


_READ_ONLY = frozenset({"portal"})
"""Roles that write nothing: what they change, they ask the keeper for."""


def create(settings: Settings) -> bool:
    """Make a data folder that can be served: keys, trust anchor, database, the listener's certificate.

    Returns:
        Whether it was new; doing it again changes nothing.
    """
    new = not (settings.data / "trust" / "authority.pub").exists()
    setup.init(settings)
    certificate, key, _ = server_files(settings)
    if not certificate.exists():
        private, public = certificates.new_key()
        called = urlsplit(settings.fhir.url).hostname or "localhost"
        names = sorted({settings.mllp.host, called, "localhost", "127.0.0.1", socket.gethostname()})
        with client.connect(settings, "admin") as keeper:
            der, _ = keeper.certify("server", names, public, admin_proof("oathward init"))
        write_file(key, private, 0o640 if settings.users.gateway else 0o600)
        write_file(certificate, certificates.to_pem(der), 0o644)
    users.prepare(settings)
    return new


def server_files(settings: Settings) -> tuple[Path, Path, Path]:
    """Where the TLS listener's certificate, its key and the device CA lie."""
    trust = settings.data / "trust"
    return trust / "mllp.pem", trust / "mllp.key", trust / "device-ca.pem"


def build(settings: Settings, role: str, *, become_keeper: bool = True) -> Opened:
    """Open a site for one role.

    Args:
        become_keeper: on a stopped site, hold the keeper's store in this process. For commands; never for a
            process of the site.

    Raises:
        StorageError: the database cannot be opened.
        KeeperError: the keeper does not answer, or refuses this caller.
        AuthorityError: the trust anchor is missing or broken; run ``oathward init``.
    """
    anchor = trust_anchor(settings)
    engine = connect(settings.database_url, reads_only=role in _READ_ONLY)
    if role not in _READ_ONLY:
        create_tables(engine)
    register = _register() if become_keeper else None  # a process of the site is no keeper
    keeper = client.connect(settings, role, become=become_keeper, register=register)
    mark = settings.own_folder_of(role) / f"clock-{role}"
    return Opened(settings, role, engine, Clock(mark), keeper, anchor, Seen(keeper.newest()))


def _register() -> Register:
    """Give where a keeper in this process looks things up; loaded only for one."""
    from oathward.proposing import register

    return register
