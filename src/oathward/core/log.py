"""Structured logs, one JSON object a line on stderr, redaction last.

Rules:
- An event is a fixed word; values are codes, counts, ids and places.
- The last step before writing masks what is not on that list of kinds: a ``Phi``, bytes, an exception's
  text, or a string too long to be a code.

Deliberately absent: log files and rotation (the service manager's), messages in prose with values in them.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from oathward.core.phi import MASK

CODE_LENGTH_MAX = 200


def set_up(role: str) -> None:
    """Configure logging for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]  # it writes and flushes, which is all that is asked of it
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    # Libraries log through the standard module: asyncio would print exceptions with their values.
    logging.basicConfig(handlers=[_Handler()], level=logging.WARNING, force=True)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every value that could hold more than a code."""
    for key, value in event.items():
        if isinstance(value, bool | int | float) or value is None:
            continue
        if not isinstance(value, str) or len(value) > CODE_LENGTH_MAX or not value.isprintable():
            event[key] = MASK
    return event


class _Stderr:
    """Standard error that never raises: a full disk under a log must not stop the work."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


class _Handler(logging.Handler):
    """Pass on what libraries log: where it came from and the exception's type, never its text."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        structlog.get_logger().warning("library", name=record.name, level_name=record.levelname, error=error)
