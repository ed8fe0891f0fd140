"""Small messages about people who do not exist, and a site to resolve them in."""

from dataclasses import dataclass, field

from oathward.core.db import read, write
from oathward.core.words import WordHasher
from oathward.ledger import append, prepare
from oathward.patients import actions, views
from oathward.patients.model import Resolution
from oathward.patients.resolver import Resolver
from oathward.protocols.hl7v2.reader import decode

KEY, WORD_KEY = b"i" * 32, b"w" * 32
SITE = "north"
NOW = 1_800_000_000_000_000
A, B, C = "100001^^^HOSP^MR", "100002^^^HOSP^MR", "100003^^^HOSP^MR"


@dataclass(frozen=True)
class Sender:
    id: str = "pump-1"
    default_authority: str = ""
    default_identifier_type: str = ""
    authoritative_adt: bool = False


PUMP = Sender()
FEED = Sender("feed", authoritative_adt=True)


def message(type_: str, *segments: str, separators: str = "^~\\&"):
    head = f"MSH|{separators}|APP|FAC|OATH|NORTH|20260101||{type_}|1|P|2.6"
    return decode("\r".join([head, *segments, ""]).encode())


def pid(ids: str = "", name: str = "", account: str = "", mother: str = "", **other: str) -> str:
    fields = [""] * 31
    fields[0], fields[3], fields[5], fields[18], fields[21] = "PID", ids, name, account, mother
    for key, value in other.items():
        fields[int(key[1:])] = value
    return "|".join(fields).rstrip("|") + "|"


def pv1(visit: str = "") -> str:
    return "PV1|" + "|" * 18 + visit


def mrg(ids: str = "", account: str = "", visit: str = "", id4: str = "", id2: str = "") -> str:
    return f"MRG|{ids}|{id2}|{account}|{id4}|{visit}"


def oru(ids: str = "", visit: str = "", **more: str):
    return message("ORU^R01", pid(ids, **more), pv1(visit), "OBR|1", "OBX|1|NM|x||7")


def adt(event: str, *segments: str):
    return message(f"ADT^{event}", *segments)


@dataclass
class Site:
    """One database and one process's resolver."""

    engine: object
    site: str = SITE
    resolver: Resolver = None
    now: int = NOW
    kinds: list = field(default_factory=list)

    def __post_init__(self):
        self.resolver = self.resolver or self.new_resolver()

    def new_resolver(self, **options):
        return Resolver(KEY, self.site, 1_000, words=WordHasher(WORD_KEY), **options)

    def resolve(self, message, source=PUMP) -> Resolution:
        self.now += 1_000
        return self.resolver.resolve(self.engine, message, source, self.now)

    def commit(self, *resolutions: Resolution) -> None:
        leaves = [prepare(r) for one in resolutions for r in one.records]
        with write(self.engine) as db:
            for one in resolutions:
                actions.apply(db, self.site, one)
            append(db, self.site, leaves)
        for one in resolutions:
            self.resolver.committed(one)
            self.kinds += [r.kind for r in one.records]

    def take(self, message, source=PUMP) -> Resolution:
        resolution = self.resolve(message, source)
        self.commit(resolution)
        return resolution

    def refresh(self) -> bool:
        with read(self.engine) as db:
            return self.resolver.refresh(db)

    def unmerge(self, edge_id: str) -> None:
        self.now += 1_000
        with write(self.engine) as db:
            actions.unmerge(db, self.site, edge_id, by="tester", reason="mistake", now_us=self.now)
        self.refresh()


def edges(site, kind=""):
    """Give the edges between subjects, of one kind or all."""
    with read(site.engine) as db:
        return views.edges(db, SITE, kind=kind)


def subject(site, cx):
    """Give whose a message with this identifier is."""
    return site.take(oru(cx)).subject
