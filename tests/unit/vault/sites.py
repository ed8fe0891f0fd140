"""A small site with a keeper, and a gateway that seals into it: what the vault's tests share."""

import atexit
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from oathward.core.clock import Clock
from oathward.core.db import connect, write
from oathward.core.labels import CLASSES
from oathward.core.settings import Settings, load
from oathward.deid.action import Seeds
from oathward.deid.plan import compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.protocols.hl7v2.reader import decode
from oathward.vault import intake, kept
from oathward.vault.bodies import SegmentStore
from oathward.vault.keeper import client, setup
from oathward.vault.keeper.proof import admin_proof
from oathward.vault.seal import Sealer

ME = admin_proof("ada")
OTHER = admin_proof("ben")


class Time:
    """A clock that tests turn: wall seconds and monotonic seconds move together."""

    def __init__(self) -> None:
        self.wall_s = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
        self.clock = Clock(wall=lambda: self.wall_s, monotonic=lambda: self.wall_s)

    def pass_(self, **span: float) -> None:
        self.wall_s += timedelta(**span).total_seconds()

    @property
    def now_us(self) -> int:
        return int(self.wall_s * 1_000_000)


@dataclass
class Gateway:
    """Seals originals and stores them as the data path does."""

    settings: Settings
    sealer: Sealer
    store: SegmentStore
    count: int = 0

    def keep(self, subject: str, data: bytes, *, purpose: str = "keep", message: str = "") -> str:
        self.count += 1
        message = message or f"m-{os.getpid()}-{self.count:06d}"
        sealed = self.sealer.seal_original(subject, message, purpose, data)
        (ref,) = self.store.append([sealed.data])
        self.store.flush()
        keys = self.sealer.pending_keys()
        engine = connect(self.settings.database_url)
        with write(engine) as db:
            intake.insert_keys(db, keys)
            site = self.settings.site.name
            kept.insert_rows(db, [kept.row(site, message, subject, purpose, sealed, ref, 1)])
        engine.dispose()
        self.sealer.confirm_keys(keys)
        return message


@cache
def _made() -> Path:
    """Make one site that others are copies of: keys and tables took a third of what tests of the vault do."""
    folder = Path(tempfile.mkdtemp(prefix="oathward-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    setup.init(load(folder / "data"))
    return folder / "data"


def make_site(folder: Path) -> Settings:
    """Give a site that nothing happened at. Its keys are those of every site made here in this process."""
    shutil.copytree(_made(), folder, dirs_exist_ok=True)  # beside the settings a test wrote
    return load(folder)


@contextmanager
def gateway(settings: Settings, keeper: client.Client | None = None, writer: str = "gateway"):
    own = keeper or client.connect(settings, "gateway")
    keys = own.hello()
    store = SegmentStore(settings.data / "bodies", "kept", writer)
    try:
        yield Gateway(settings, Sealer(settings.site.name, keys.intake, keys.outbox), store)
    finally:
        store.close()
        if keeper is None:
            own.close()


@contextmanager
def asking(settings: Settings, role: str):
    with client.connect(settings, role) as found:
        yield found


def safe(note: str = "stable"):
    """Shape a small message for a treatment link, which gives the only thing ``seal_outgoing`` takes."""
    raw = (
        "MSH|^~\\&|PUMP|ICU|EHR|H|20300101000000||ORU^R01^ORU_R01|42|P|2.6\r"
        "PID|1||777^^^HOSP^MR||Roe^Jane\rOBR|1|||X\rOBX|1|ST|68060-3^NOTE^LN||" + note + "||||||F\r"
    )
    plan = compile_plan(builtin_profiles()["treatment"], CLASSES)
    return shape(decode(raw.encode()), plan, Seeds(bytes(32), bytes(32), "out-1"))
