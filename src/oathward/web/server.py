"""Listen for browsers, in a thread of the ``app`` process with a loop of its own: a slow page holds up no house-keeping.

Rules:
- The port is taken at once; what pages need is imported in the thread, so that the process is ready without it.
- uvicorn logs nothing by itself: an access log would hold addresses people typed.

Deliberately absent: TLS (the address is a loopback one, ``core.settings``), proxies and their headers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from oathward.core.errors import OathwardError
from oathward.core.settings import Console

if TYPE_CHECKING:
    import uvicorn

    from oathward.vault.opened import Opened

_BACKLOG = 128
_CONNECTIONS_MAX = 200
_STOP_S = 3


class Server:
    """The console of an opened site; serves when made.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, site: Opened, settings: Console) -> None:
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
        self._server: uvicorn.Server | None = None
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

    def stop(self) -> None:
        """Take no more requests, finish those begun."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(_STOP_S + 2)
        self._socket.close()

    def _serve(self) -> None:
        import uvicorn

        from oathward.web.frame import create
        from oathward.web.standing import standing

        with contextlib.suppress(
            OathwardError
        ):  # the policy is compiled now, not while the first person waits
            standing(self._site, self._site.clock.now())
        config = uvicorn.Config(
            create(self._site),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS_MAX,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._server = uvicorn.Server(config)
        if not self._stopping.is_set():
            self._server.run(sockets=[self._socket])
