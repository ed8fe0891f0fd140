"""Listen for browsers, in a thread with a loop of its own: a slow page holds up no house-keeping. The console's, and the portal's.

Rules:
- The port is taken at once; what pages need is imported in the thread, so that the process is ready without it.
- uvicorn logs nothing by itself: an access log would hold addresses people typed.
- With a certificate in the settings every connection is TLS 1.2 or newer; a client may show a certificate of the site's
  device CA and a service's is accepted so on the same port (``wire``). Without one the address is a loopback one
  (``core.settings_check``).
- A connection is under limits from the moment it is accepted (``listening``), and all of them below what this process
  may open.

Deliberately absent: proxies and their headers, plain HTTP beside TLS, a certificate that changes while it serves.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from oathward.core.errors import OathwardError, SettingsError
from oathward.core.process import raise_files
from oathward.core.reasons import Reason
from oathward.core.settings import Console
from oathward.core.settings_portal import Portal

if TYPE_CHECKING:
    import ssl

    from starlette.applications import Starlette

    from oathward.vault.opened import Opened
    from oathward.web.serving.listening import Listening

_BACKLOG = 128
_CONNECTIONS_MAX = 200
_STOP_S = 3


class Server:
    """The console of an opened site, or its portal; serves when made.

    Args:
        make: makes the pages, in the thread that serves them.

    Raises:
        OSError: the port cannot be had.
        SettingsError: certificate or key cannot be used.
    """

    def __init__(
        self, site: Opened, settings: Console | Portal, make: Callable[[Opened], Starlette] | None = None
    ) -> None:
        self._tls = tls_of(site, settings)
        self._make = make or _console
        self._files = raise_files()
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((settings.host, settings.port))
            self._socket.listen(_BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self._site = site
        self._server: Listening | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="console", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    @property
    def serves(self) -> bool:
        """Whether pages are made and requests are taken."""
        return self._server is not None and self._server.started

    def refused(self) -> Counter[tuple[str, Reason]]:
        """Give the connections refused since the last time, by address and reason."""
        return Counter() if self._server is None else self._server.refused()

    def stop(self) -> None:
        """Take no more requests, finish those begun."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(_STOP_S + 2)
        self._socket.close()

    def _serve(self) -> None:
        import uvicorn

        from oathward.web.serving.listening import Listening
        from oathward.web.serving.wire import Protocol

        config = uvicorn.Config(
            self._make(self._site),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS_MAX,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._server = Listening(config, self._tls, self._files)
        if not self._stopping.is_set():
            self._server.run(sockets=[self._socket])


def _console(site: Opened) -> Starlette:
    from oathward.web.frame import create
    from oathward.web.standing import prepare

    with contextlib.suppress(OathwardError):
        prepare(site)
    return create(site)


def tls_of(site: Opened, settings: Console | Portal) -> ssl.SSLContext | None:
    """Make what every connection begins with; nothing where it is not encrypted. Patients are asked for no certificate.

    Raises:
        SettingsError: certificate or key is not there, not PEM, or they do not belong together.
    """
    if not settings.certificate:
        return None
    from oathward.gateway.listeners.tls import server_context

    data, patients = site.settings.data, isinstance(settings, Portal)
    section = "[portal]" if patients else "[console]"
    for place, name in (("certificate", settings.certificate), ("key", settings.key)):
        if not (data / name).is_file():
            raise SettingsError(f"{section} {place}", "there is no such file")
    ca = data / "trust" / "device-ca.pem"
    try:
        return server_context(
            *(str(data / settings.certificate), str(data / settings.key)),
            "" if patients else str(ca),
            required=False,
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = "and key must be PEM files of one pair that this process may read"
        raise SettingsError(f"{section} certificate", why) from error
