"""Make the keeper of a new site: folders with their modes, the first keys, the trust anchor.

Rules:
- Doing it again changes nothing; what is there is checked, never replaced.
- The trust anchor (``trust/authority.pub``) is pinned once: a store with another key is refused.
- So is the site's name (``trust/site``): it stands in every row and key.
- As root, the keeper's folder is given to the keeper's user.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from oathward.core import site_name, users
from oathward.core.clock import Clock, micros
from oathward.core.db import connect, create_tables, write
from oathward.core.errors import AuthorityError
from oathward.core.settings import Settings
from oathward.ledger import log
from oathward.vault import certificates
from oathward.vault.keeper import keyring
from oathward.vault.keeper.store import Store
from oathward.vault.sign import Signer, encode_verifier, load_verifier, save_verifier, write_file


def init(settings: Settings, *, clock: Clock | None = None) -> None:
    """Make what is not there yet.

    Raises:
        AuthorityError: the pinned trust anchor is not this store's key.
        SettingsError: the folder was made for a site of another name.
        KeeperError: a keeper is running on this folder.
        VaultError: the folder is open to others, or its site key is missing.
    """
    site_name.check(settings)
    now = (clock or Clock()).now()
    if users.separated(settings) and not settings.data.joinpath("oathward.db").exists():
        settings.data.joinpath("db").mkdir(parents=True, exist_ok=True)
    shared = any(dataclasses.astuple(settings.users))  # other users must be able to pass through
    for folder, mode in (
        (settings.data, 0o751 if shared else 0o700),
        (settings.data / "trust", 0o755),
        (settings.run_folder, 0o755 if shared else 0o700),
    ):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(mode)  # whatever the umask
    site = settings.site.name
    store = Store(settings.keeper_folder, create=True)
    try:
        authority = keyring.signer(store, "authority", site)
        _check_name(authority, site)
        ledger_key = keyring.signer(store, "ledger", site)
        _pin(settings.data / "trust" / "authority.pub", authority)
        _pin(settings.data / "trust" / "ledger.pub", ledger_key)
        _pin(settings.data / "trust" / "tombstones.pub", keyring.signer(store, "tombstones", site))
        ca = keyring.device_ca(store, site, now)
        ca_file = settings.data / "trust" / "device-ca.pem"
        if not ca_file.exists():
            write_file(ca_file, certificates.to_pem(ca.certificate), 0o644)
        for kind, days in (
            ("intake", settings.keeper.intake_key_days),
            ("outbox", settings.keeper.outbox_key_days),
        ):
            keyring.current(store, kind, micros(now), days)
        keyring.site_keys(store, site)
        _begin_ledger(settings, ledger_key, micros(now))
        if not site_name.path_of(settings).exists():
            write_file(site_name.path_of(settings), f"{site}\n".encode(), 0o644)
    finally:
        store.close()
    _give(settings)


def _pin(path: Path, key: Signer) -> None:
    if not path.exists():
        save_verifier(key, path)
    elif load_verifier(path).public != key.public:
        raise AuthorityError(f"trust/{path.name}", "is another key than this keeper's")


def _check_name(authority: Signer, site: str) -> None:
    """Keep the name where a folder has no pin of it: keys were named for their site."""
    if authority.name != keyring.key_name(site, "authority", authority.public):
        raise site_name.refusal(authority.name.split("/")[1])


def _begin_ledger(settings: Settings, key: Signer, now_us: int) -> None:
    engine = connect(settings.database_url)
    create_tables(engine)
    with write(engine) as db:
        if log.locked_size(db, settings.site.name) == 0:
            log.start(db, settings.site.name, key.name, encode_verifier(key), now_us)
    engine.dispose()


def _give(settings: Settings) -> None:
    if not settings.users.keeper or os.geteuid() != 0:
        return
    uid = users.user_of(settings, "keeper")
    for path in (settings.keeper_folder, *settings.keeper_folder.rglob("*")):
        os.chown(path, uid, -1, follow_symlinks=False)
