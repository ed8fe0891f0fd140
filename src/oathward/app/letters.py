"""Letters to holders of the patient portal: taken from the keeper, written in their language, sent by SMTP or as files.

Rules:
- Texts are a file (``letter_texts.toml``): each language has each kind; a holder's unknown language reads English.
- A letter says nothing of care: a code, a link, that there is news. No subject line names anybody.
- Over SMTP the connection is encrypted before anything is said, and the server's certificate is checked; ``none`` is for
  this machine alone. The password comes from a file.
- A letter that did not go out is told to the keeper, which has it tried again, a few times.
- Neither addresses nor codes stand in a log line; the record names the kind.

Deliberately absent: HTML, pictures that tell who read it, and any memory of what was sent.

Source: RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (TLS from the first byte).
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import tomllib
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from oathward.core.errors import OathwardError
from oathward.core.settings import Settings

if TYPE_CHECKING:
    from oathward.vault.keeper.client.portal import Letter, Portal
    from oathward.vault.opened import Opened

KINDS = ("code", "invitation", "notice")
FALLBACK = "en"
_LOOK_S = 0.5
_QUIET_S = 5.0

log = structlog.get_logger()


@lru_cache(maxsize=1)
def texts() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Read what letters say: language -> kind -> ``subject`` and ``body``."""
    return tomllib.loads(files("oathward.app").joinpath("letter_texts.toml").read_text("utf-8"))


async def run(site: Opened) -> None:
    """Send what is due, until cancelled."""
    while True:
        try:
            sent = await asyncio.to_thread(turn, site.settings, site.keeper.portal)
        except (OathwardError, OSError) as error:
            log.warning("letters", error=type(error).__name__)
            sent = -1
        await asyncio.sleep(_QUIET_S if sent < 0 else _LOOK_S)


def turn(settings: Settings, portal: Portal) -> int:
    """Send what is due now; gives how many went out.

    Raises:
        KeeperError: the keeper does not answer.
    """
    sent = 0
    for letter in portal.letters_take():
        try:
            send(settings, letter)
        except (OSError, smtplib.SMTPException) as error:
            log.warning("letter not sent", kind=letter.kind, error=type(error).__name__)
            portal.letter_settle(letter.id, sent=False)
            continue
        portal.letter_settle(letter.id, sent=True)
        sent += 1
    return sent


def send(settings: Settings, letter: Letter) -> None:
    """Send one letter.

    Raises:
        OSError, smtplib.SMTPException: it did not go out.
    """
    message = written(settings, letter)
    if settings.mail.sender == "file":
        _file(settings.data / settings.mail.folder, letter.id, message)
        return
    with _server(settings) as server:
        server.send_message(message)


def written(settings: Settings, letter: Letter) -> EmailMessage:
    """Write one letter."""
    values = dict(letter.values.reveal())
    base = settings.portal.url.rstrip("/")
    values["link"] = f"{base}/enrol?key={values['key']}" if "key" in values else f"{base}/"
    said = texts().get(letter.language, texts()[FALLBACK])[letter.kind]
    message = EmailMessage()
    message["From"] = settings.mail.sent_from
    message["To"] = letter.address.reveal()
    message["Subject"] = said["subject"]
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=settings.mail.sent_from.rpartition("@")[2] or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(said["body"].strip().format(**values) + "\n", cte="quoted-printable")
    return message


def _server(settings: Settings) -> smtplib.SMTP:
    mail = settings.mail
    context = ssl.create_default_context(cafile=str(settings.data / mail.ca_file) if mail.ca_file else None)
    server: smtplib.SMTP
    if mail.tls == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=mail.timeout_s, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout_s)
    try:
        if mail.tls == "starttls":
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, (settings.data / mail.password_file).read_text().strip())
    except BaseException:
        server.close()
        raise
    return server


def _file(folder: Path, id_: str, message: EmailMessage) -> None:
    """Write a letter whole or not at all, for its owner alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    waiting, path = folder / f".{id_}", folder / f"{id_}.eml"
    waiting.unlink(missing_ok=True)
    fd = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(message.as_bytes())
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
