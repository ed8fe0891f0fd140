"""Whether settings can be meant: ranges, and doors that do not stand in each other's way.

Rules:
- A port is a port, a time or a count is above zero; the first that is not is an error that names its place.
- A time is at most ``DAYS_MAX``, in whatever unit it is said, any other number at most ``COUNT_MAX``: what is added to
  the time it is, or counted up to, stays what a clock and the database can hold.
- No two doors share a port of one address.

Deliberately absent: reading the file (``core.settings``), the machine that serves.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from oathward.core.authorities import Authorities
from oathward.core.clock import zone_of
from oathward.core.errors import SettingsError

if TYPE_CHECKING:
    from oathward.core.settings import Settings

PORT_MAX = 65_535
PASSWORD_LENGTH_MIN = 8
"""Fewer characters no site may ask for (OWASP ASVS 5.0 V6.2.1)."""

RESUME_DAYS_MIN = 8
"""A day more than the keeper's order for a job is good for: no key goes under one that runs."""

DAYS_MAX = 36_500
COUNT_MAX = 10**12

_ANY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, never listened on
_MAY_BE_ZERO = frozenset({"group_delay_ms", "processes", "silent_s_max", "traces_per_thousand"})
_TIME = re.compile(r"(?:^|_)(ms|s|minutes|hours|days)(?:_max)?$")
_PER_DAY = {"ms": 86_400_000, "s": 86_400, "minutes": 1_440, "hours": 24, "days": 1}
_REPLIES = ("AA", "AE", "AR")
_SENDERS = ("", "smtp", "file")
_MAIL_TLS = ("starttls", "tls", "none")
_MAILBOX = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_URL = re.compile(r"https://[A-Za-z0-9.\[\]:-]+/fhir")
_SLASHES = 2
"""Of an address without a path."""
_COLLECTOR = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


def check(settings: Settings, doors: Mapping[str, tuple[str, int]], source: str) -> None:
    """See that every number can be meant: ports are ports, times and counts are above zero.

    Raises:
        SettingsError: the first that is not.
    """
    for section in dataclasses.fields(settings)[1:]:
        part = getattr(settings, section.name)
        for one in dataclasses.fields(part):
            why = _out_of_range(one.name, getattr(part, one.name))
            if why:
                raise SettingsError(f"{source} [{section.name}] {one.name}", why)
    if not settings.site.name.strip():
        raise SettingsError(f"{source} [site] name", "must not be empty")
    if settings.mllp.undecodable_reply not in _REPLIES:
        raise SettingsError(f"{source} [mllp] undecodable_reply", f"must be one of {', '.join(_REPLIES)}")
    _check_least(settings, source)
    _check_console(settings, source)
    _check_portal(settings, source)
    if settings.courier.retry_first_s > settings.courier.retry_longest_s:
        raise SettingsError(f"{source} [courier] retry_first_s", "must not be above retry_longest_s")
    try:
        Authorities(settings.patients.authorities)
    except SettingsError as error:
        raise SettingsError(
            f"{source} [patients] authorities, {error.where or '(empty)'}", error.why
        ) from error
    if settings.fhir.url and not _URL.fullmatch(settings.fhir.url):
        raise SettingsError(
            f"{source} [fhir] url", "must be https://HOST:PORT/fhir, without a slash at its end"
        )
    _check_mail(settings, source)
    _check_telemetry(settings, source)
    _check_doors(doors, source)


def _check_least(settings: Settings, source: str) -> None:
    for where, found, least in (
        ("[people] password_length_min", settings.people.password_length_min, PASSWORD_LENGTH_MIN),
        ("[deid] resume_days", settings.deid.resume_days, RESUME_DAYS_MIN),
    ):
        if found < least:
            raise SettingsError(f"{source} {where}", f"must be at least {least}")


def _check_console(settings: Settings, source: str) -> None:
    """See that pages leave this machine only encrypted, and that the provider is asked only so."""
    console = settings.console
    if bool(console.certificate) != bool(console.key):
        raise SettingsError(f"{source} [console] certificate", "and key go together; write both")
    if not console.certificate and not _is_loopback(console.host):
        why = "must be a loopback address (127.0.0.1, ::1 or localhost) unless certificate and key are set"
        raise SettingsError(f"{source} [console] host", why)
    if not console.url and not _is_loopback(console.host):
        raise SettingsError(f"{source} [console] url", "is missing: under which name do people reach it?")
    if console.url.count("/") > _SLASHES:
        raise SettingsError(f"{source} [console] url", "must be without a path, as in https://HOST")
    for place, url in (("[console] url", console.url), ("[oidc] issuer", settings.oidc.issuer)):
        found = _COLLECTOR.fullmatch(url)
        if url and (found is None or (found[1] == "http" and not _is_loopback(found[2].strip("[]")))):
            raise SettingsError(f"{source} {place}", "must be https://HOST, or http:// on this machine alone")
    if settings.oidc.issuer and not settings.oidc.client_id:
        raise SettingsError(f"{source} [oidc] client_id", "is missing; the provider gives it")


def _check_portal(settings: Settings, source: str) -> None:
    """See that patients' pages leave this machine only encrypted, and under a name."""
    portal = settings.portal
    if bool(portal.certificate) != bool(portal.key):
        raise SettingsError(f"{source} [portal] certificate", "and key go together; write both")
    if not _is_loopback(portal.host) and not (portal.certificate and portal.url):
        why = (
            "must be a loopback address (127.0.0.1, ::1 or localhost) unless certificate, key and url are set"
        )
        raise SettingsError(f"{source} [portal] host", why)
    for place, url in (("url", portal.url), ("leave_url", portal.leave_url)):
        found = _COLLECTOR.fullmatch(url)
        if url and (found is None or (found[1] == "http" and not _is_loopback(found[2].strip("[]")))):
            why = "must be https://HOST, or http:// on this machine alone"
            raise SettingsError(f"{source} [portal] {place}", why)
    if portal.url.count("/") > _SLASHES:
        raise SettingsError(f"{source} [portal] url", "must be without a path, as in https://HOST")
    for section, zone in (("portal", portal.zone), ("deid", settings.deid.zone)):
        if zone_of(zone) is None:
            why = "is no time zone this machine knows; write it as in Europe/Berlin"
            raise SettingsError(f"{source} [{section}] zone", why)


def _check_mail(settings: Settings, source: str) -> None:
    """See that letters have a way out, and that codes leave this machine only encrypted."""
    mail = settings.mail
    for place, value, known in (("sender", mail.sender, _SENDERS), ("tls", mail.tls, _MAIL_TLS)):
        if value not in known:
            why = f"must be one of {', '.join(filter(None, known))}"
            raise SettingsError(f"{source} [mail] {place}", why)
    if mail.sender and not _MAILBOX.fullmatch(mail.sent_from):
        raise SettingsError(f"{source} [mail] sent_from", "must be the address letters come from")
    if mail.sender == "smtp" and mail.tls == "none" and not _is_loopback(mail.host):
        raise SettingsError(
            f"{source} [mail] tls", "must be starttls or tls unless the server is on this machine"
        )
    if mail.user and not mail.password_file:
        raise SettingsError(f"{source} [mail] password_file", "is missing: the file that holds the password")


def _check_telemetry(settings: Settings, source: str) -> None:
    """See that numbers leave this machine only encrypted."""
    why = _no_collector(settings.telemetry.endpoint)
    if why:
        raise SettingsError(f"{source} [telemetry] endpoint", why)
    if settings.telemetry.traces_per_thousand > 1_000:
        raise SettingsError(f"{source} [telemetry] traces_per_thousand", "must be 0 to 1000")


def _no_collector(endpoint: str) -> str:
    """Say why an address is no collector's; empty where it is one, or there is none."""
    found = _COLLECTOR.fullmatch(endpoint)
    if endpoint and found is None:
        return "must be https://HOST:PORT, or a path behind it"
    if found is not None and found[1] == "http" and not _is_loopback(found[2].strip("[]")):
        return "must be https:// unless the collector is on this machine"
    return ""


def _out_of_range(name: str, value: object) -> str:
    """Say what the value of a setting must be, or nothing where it may be what it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if name.endswith("port"):
        return "" if -1 <= value <= PORT_MAX else f"must be 1 to {PORT_MAX}, 0 for a free port or -1 for none"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    unit = _TIME.search(name)
    most = DAYS_MAX * _PER_DAY[unit[1]] if unit else COUNT_MAX
    if value > most:
        return f"must be at most {most}"
    if name in _MAY_BE_ZERO:
        return "" if value >= 0 else "must not be below 0"
    return "" if value > 0 else "must be above 0"


def _is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a host: what the console serves is not encrypted on its way."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_doors(doors: Mapping[str, tuple[str, int]], source: str) -> None:
    """See that no two doors share a port of one address."""
    taken: list[tuple[str, str, int]] = []
    for place, (host, port) in doors.items():
        for other, its_host, its_port in taken:
            if port == its_port > 0 and (host == its_host or _ANY_HOST & {host, its_host}):
                raise SettingsError(f"{source} {place}", f"is the same as {other}; each needs its own")
        taken.append((place, host, port))
