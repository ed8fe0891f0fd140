"""``oathward doctor``: is this site well, and what does its set-up not stop?

Each check is one function that gives lines: ok, note (works, and you should know) or bad (mend it).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from oathward.cli import comparing
from oathward.cli.comparing import Line
from oathward.cli.doctor_care import stays
from oathward.cli.doctor_deid import images
from oathward.cli.doctor_people import people
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.core import users
from oathward.core.clock import Clock, wall_s
from oathward.core.errors import InputError, OathwardError
from oathward.core.meanings import MEANINGS
from oathward.core.process import STATUS_STALE_S, SUPERVISOR, statuses
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.vault.certificates import days_left

APP = typer.Typer(
    help="Check settings, keys, disk, clock and what the set-up does not stop.", add_completion=False
)

FREE_BYTES_MIN = 1 << 30
RENEW_DAYS = 45
FLUSHES = 50
FLUSH_SLOW_MS = 10.0


@APP.command()
def doctor(
    data: DataOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also pair every permit in the ledger with its delivery.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at everything that can be looked at from outside. Exit code 1 when something must be mended."""
    settings = settings_of(data, new=True)
    there = (settings.data / "trust" / "authority.pub").exists()
    # What the app found is in what all of it gives: told once.
    checks = [comparing.all_deliveries if deep and one is comparing.deliveries else one for one in CHECKS]
    lines = [line for check in checks if there or check is _folder for line in _guarded(check, settings)]

    def human() -> None:
        signs = {"ok": "ok  ", "note": "note", "bad": "BAD "}
        for line in lines:
            print(f"{signs[line.level]}  {line.about:<12} {line.what}")
        bad = sum(line.level == "bad" for line in lines)
        print(
            f"\n{bad} to mend, {sum(line.level == 'note' for line in lines)} to know."
            if bad
            else "\nNothing to mend."
        )

    emit({"ok": all(line.level != "bad" for line in lines), "lines": lines}, as_json=as_json, human=human)
    if any(line.level == "bad" for line in lines):
        raise typer.Exit(1)


def _guarded(check: Callable[[Settings], Iterator[Line]], settings: Settings) -> list[Line]:
    about = check.__name__.removeprefix("_")
    try:
        return list(check(settings))
    except OathwardError as error:
        return [Line("bad", about, f"{error.reason.code} {error.where}: {error.why}")]
    except OSError as error:
        return [Line("bad", about, f"{type(error).__name__}: {os.strerror(error.errno or 0)}")]


def _folder(settings: Settings) -> Iterator[Line]:
    if not (settings.data / "trust" / "authority.pub").exists():
        yield Line("bad", "folder", f"{settings.data} is no data folder; run `oathward init`")
        return
    mode = settings.data.stat().st_mode & 0o777
    if mode & 0o006:
        yield Line("bad", "folder", f"mode {mode:o} lets every local user in; chmod o-rwx {settings.data}")
    keeper = settings.keeper_folder.stat().st_mode & 0o777
    yield (
        Line("ok", "folder", f"{settings.data}")
        if not keeper & 0o077
        else Line(
            "bad", "folder", f"the keeper's folder has mode {keeper:o}; chmod 700 {settings.keeper_folder}"
        )
    )


def _disk(settings: Settings) -> Iterator[Line]:
    free = shutil.disk_usage(settings.data).free
    level = "ok" if free >= FREE_BYTES_MIN else "bad"
    yield Line(
        level, "disk", f"{free / (1 << 30):.1f} GiB free; a full disk means no acknowledgement, not loss"
    )
    spent_ms = _flush_ms(settings.data / f".doctor-{os.getpid()}")
    level = "ok" if spent_ms < FLUSH_SLOW_MS else "note"
    yield Line(
        level, "disk", f"a flush takes {spent_ms:.2f} ms; one connection cannot be answered faster than that"
    )


def _flush_ms(path: Path) -> float:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        began = time.perf_counter()
        for _ in range(FLUSHES):
            os.write(fd, bytes(4096))
            os.fdatasync(fd)
        return (time.perf_counter() - began) / FLUSHES * 1000
    finally:
        os.close(fd)
        path.unlink()


def _clock(settings: Settings) -> Iterator[Line]:
    sure = Clock(settings.own_folder_of("gateway") / "clock-gateway").sure()
    yield (
        Line("ok", "clock", "not behind its high-water mark")
        if sure
        else Line("bad", "clock", "behind its high-water mark: time-bound permits are held; set the clock")
    )


def _certificate(settings: Settings) -> Iterator[Line]:
    """The doors' own certificate: the day it ends every device is refused at once."""
    file = settings.data / "trust" / "mllp.pem"
    if not file.exists():
        return
    days = days_left(file.read_bytes(), wall_s())
    renew = f"remove mllp.pem and mllp.key from {file.parent}, run `oathward init` there, start again; devices need nothing"
    if days >= RENEW_DAYS:
        yield Line("ok", "certificate", f"the doors' is valid for {days} days")
    elif days >= 0:
        yield Line(
            "bad", "certificate", f"the doors' ends in {days} days, and then no device gets in: {renew}"
        )
    else:
        yield Line("bad", "certificate", f"the doors' has ended, and no device gets in: {renew}")


def _processes(settings: Settings) -> Iterator[Line]:
    found = statuses(settings.run_folder)
    if not found:
        yield Line("note", "processes", "none runs; `oathward serve` starts them")
        return
    for role in users.roles(settings):
        status = found.get(role)
        if status is None:
            yield Line("bad", "processes", f"{role} does not run")
            continue
        age_s = wall_s() - float(status.get("at_s", 0))
        trouble = status.get("trouble") or status.get("reason") or ""
        if age_s > STATUS_STALE_S:
            yield Line("bad", "processes", f"{role} has said nothing for {age_s:.0f} s")
        elif status.get("state") != "ready" or trouble:
            yield Line("bad", "processes", f"{role} is {status.get('state')}: {_explained(str(trouble))}")
        else:
            yield Line("ok", "processes", f"{role} ready, pid {status.get('pid')}")
        yield from _links(status)
    yield from _supervised(settings, found.get(SUPERVISOR, {}))


def _links(status: Mapping[str, Any]) -> Iterator[Line]:
    for link, how in (status.get("links") or {}).items():
        if how.get("trouble"):
            yield Line("bad", "delivery", f"{link}: {_trouble(how)}")


def _supervised(settings: Settings, status: Mapping[str, Any]) -> Iterator[Line]:
    """What the supervisor saw: whether it watches, who hung, who is started again and again."""
    if not status or wall_s() - float(status.get("at_s", 0)) > STATUS_STALE_S:
        yield Line(
            "bad",
            "watchdog",
            "the supervisor says nothing: a process that ends or hangs is not started again",
        )
    elif not settings.watchdog.silent_s_max:
        yield Line("note", "watchdog", "is off: a process that hangs is not noticed; [watchdog] silent_s_max")
    for role, count in (status.get("restarts") or {}).items():
        hangs = [one for one in status.get("hung") or () if one.get("role") == role]
        why = ""
        if hangs:
            last, times = hangs[-1], (status.get("hangs") or {}).get(role, 0)
            ago_s = wall_s() - float(last["at_s"])
            why = f"; hung {times} times, last {ago_s:.0f} s ago, when `{last['part']}` stood still"
        if count:
            yield Line("note", "watchdog", f"{role} was started again {count} times since the start{why}")


def _trouble(how: Mapping[str, Any]) -> str:
    since = f" for {wall_s() - how['since_s']:.0f} s" if how.get("since_s") else ""
    to = f" (recipient {how['to']})" if how.get("to") else ""
    return f"{_explained(str(how['trouble']))}{since}{to}; deliveries wait and nothing is lost"


def _explained(trouble: str) -> str:
    """Say what a reason code means, where consents cannot be read; others explain themselves by their words."""
    if trouble != Reason.CONSENT_UNREADABLE.code:
        return trouble
    return f"{trouble}: {MEANINGS[Reason.CONSENT_UNREADABLE].what}"


def _database(settings: Settings) -> Iterator[Line]:
    from oathward import ledger
    from oathward.core.db import connect, read
    from oathward.messages import sql

    engine = connect(settings.database_url)
    with read(engine) as db:
        if engine.dialect.name == "sqlite":
            answer = db.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            yield Line("ok" if answer == "ok" else "bad", "database", f"quick check: {answer}")
        held, outbox = sql.held_counts(db), sql.outbox_counts(db)
        size = ledger.head(db, settings.site.name).size
    yield Line("ok", "ledger", f"{size:,} records; `oathward ledger verify` checks each of them")
    if held:
        yield Line("note", "quarantine", f"{sum(held.values())} held; see `oathward quarantine list`")
    for (link, state), rows in sorted(outbox.items()):
        yield Line("note" if state == "pending" else "bad", "outbox", f"{link}: {rows} {state}")


def _authority(settings: Settings) -> Iterator[Line]:
    from oathward.activation import load_active
    from oathward.app import build
    from oathward.core.db import read

    site = build(settings, "admin")
    try:
        with read(site.engine) as db:
            active = load_active(db, site.site, site.authority, site.seen)
    finally:
        site.keeper.close()
    yield (
        Line("ok", "policy", f"{active.label} is active and its signature verifies")
        if active
        else Line("bad", "policy", "none is active: every message is held; `oathward policy activate DIR`")
    )


def _trust(settings: Settings) -> Iterator[Line]:
    why = users.why_not_separated(settings)
    if why:
        yield Line(
            "note",
            "users",
            f"{why}; a captured gateway could read what others of its user can, the keeper's folder too",
        )
    else:
        yield from _apart(settings)
    if not settings.witness.address:
        yield Line(
            "note",
            "witness",
            "not independently witnessed: whoever runs this machine could rewrite the ledger since its last export",
        )
    yield Line(
        "note",
        "root",
        "nothing here stops root of this machine while it runs; a witness elsewhere notices a changed past",
    )


def _apart(settings: Settings) -> Iterator[Line]:
    """Users are named: do the processes that run have them?"""
    wrong = []
    for role in users.roles(settings):
        pid = statuses(settings.run_folder).get(role, {}).get("pid")
        try:
            uid = Path(f"/proc/{pid}").stat().st_uid if pid else None
        except OSError:
            continue
        if uid is not None and uid != users.user_of(settings, role):
            wrong.append(role)
    if wrong:
        named = ", ".join(wrong)
        yield Line(
            "bad",
            "users",
            f"{named} run as another user than [users] says; only root's `serve` can change users",
        )
    else:
        yield Line("ok", "users", "every process has a user of its own under [users]")
    yield Line(
        "note",
        "users",
        "all of them may write the database: the ledger and its witness show what was changed",
    )


def _witness(settings: Settings) -> Iterator[Line]:
    from oathward.core.db import connect, read
    from oathward.core.reasons import Reason
    from oathward.ledger import log, witness_client
    from oathward.vault.keeper.witnessing import witness_key

    address = settings.witness.address
    if not address:
        return
    witness_key(settings)
    engine = connect(settings.database_url)
    try:
        with read(engine) as db:
            origin = log.origin(db, settings.site.name)
    finally:
        engine.dispose()
    try:
        witness_client.ask_held(address, origin)
    except OathwardError as error:
        if error.reason is not Reason.NOT_FOUND:
            yield Line("bad", "witness", f"{error.reason.code}: {address} {error.why}")
            return
        trust = settings.data / "trust"
        yield Line(
            "note",
            "witness",
            f"{address} answers and holds nothing of this ledger yet; it must trust {trust}/ledger.pub and tombstones.pub",
        )
    else:
        yield Line("ok", "witness", f"{address} answers and holds a checkpoint of this ledger")


def _console(settings: Settings) -> Iterator[Line]:
    from oathward.web.render import STATIC, TYPES

    lacking = [name for name in TYPES if not (STATIC / name).is_file()]
    if settings.console.port >= 0 and lacking:
        what = (
            f"{', '.join(lacking)} not built: pages work, plain; in a checkout run `python scripts/assets.py`"
        )
        yield Line("note", "console", what)
    if settings.console.port >= 0 and settings.console.certificate:
        yield _web_certificate("console", settings.data / settings.console.certificate)


def _portal(settings: Settings) -> Iterator[Line]:
    if settings.portal.port < 0:
        return
    needed = {"[mail] sender": settings.mail.sender, "[portal] url": settings.portal.url}
    lacking = [name for name, value in needed.items() if not value]
    if lacking:
        what = f"{' and '.join(lacking)} not set: nobody can be invited, and no code to sign in is sent"
        yield Line("bad", "portal", what)
    if settings.portal.certificate:
        yield _web_certificate("portal", settings.data / settings.portal.certificate)


def _web_certificate(which: str, file: Path) -> Line:
    """The console's or the portal's own certificate: the day it ends every browser and program turns away."""
    try:
        days = days_left(file.read_bytes(), wall_s())
    except (OSError, InputError):
        return Line("bad", which, f"{file}: no certificate that can be read; the {which} will not start")
    if days >= RENEW_DAYS:
        return Line("ok", which, f"its certificate is valid for {days} days")
    ends = f"ends in {days} days" if days >= 0 else "has ended"
    what = f"its certificate {ends}; put another one and its key in place, and start again"
    return Line("bad", which, what)


CHECKS = (
    _folder,
    _disk,
    _clock,
    _certificate,
    _processes,
    _database,
    _authority,
    people,
    stays,
    images,
    comparing.deliveries,
    comparing.edges,
    _witness,
    _console,
    _portal,
    _trust,
)
