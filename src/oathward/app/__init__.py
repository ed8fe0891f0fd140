"""Wiring: settings in, an opened site out. The only place where parts are put together.

``build`` gives each process what its role needs and nothing else. ``python -m oathward.app ROLE`` is how
the supervisor starts them.
"""

from __future__ import annotations

import oathward.consent.sql
import oathward.inventory.sql
import oathward.ledger.tables
import oathward.messages.sql
import oathward.patients.sql
import oathward.vault.authority
import oathward.vault.kept
import oathward.vault.table_store  # noqa: F401  these imports declare every table
from oathward.core.clock import Clock
from oathward.core.db import connect, create_tables
from oathward.core.settings import Settings
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import client
from oathward.vault.opened import Opened


def build(settings: Settings, role: str) -> Opened:
    """Open a site for one role.

    Raises:
        StorageError: the database cannot be opened.
        KeeperError: the keeper does not answer, or refuses this caller.
        AuthorityError: the trust anchor is missing or broken; run ``oathward init``.
    """
    anchor = trust_anchor(settings)
    engine = connect(settings.database_url)
    create_tables(engine)
    keeper = client.connect(settings, role)
    mark = settings.data / f"clock-{role}"
    return Opened(settings, role, engine, Clock(mark), keeper, anchor, Seen(keeper.newest()))
