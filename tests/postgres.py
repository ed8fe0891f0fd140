"""A PostgreSQL server of the tests' own: made in a temporary folder, on a Unix socket only, ended by process id.

Use: import ``needs_postgres``, ``postgres_server`` and ``postgres_url`` from here, mark with ``needs_postgres``, and
take the fixture ``postgres_url`` (a fresh database for each test) or, of ``postgres_engine``, ``engine``. Skips with a printed reason where Debian's server
programs are absent. As root the server runs as user ``postgres``: initdb refuses root.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from oathward.core.db import connect, create_tables

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)


def _user():
    """Whom to run the server as; None when nobody fit is there."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def why_not():
    """Say why there can be no server here; empty when there can."""
    if not PROGRAMS or not (PROGRAMS[0] / "initdb").exists():
        return "no PostgreSQL server programs under /usr/lib/postgresql"
    return "" if _user() else "running as root and there is no user postgres"


needs_postgres = [
    pytest.mark.postgres,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one"),
]


@contextmanager
def serving(**settings):
    """Run a server with these settings beside the usual ones; gives the folder of its socket, in which its data lie."""
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="oathward-pg-"))
    other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    if other:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    options = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, **other}
    initdb = [PROGRAMS[0] / "initdb", "-D", data, "-U", "oathward", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, timeout=120, **options)
    usual = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "max_connections": "50",
        "shared_buffers": "64MB",
    }
    command = [PROGRAMS[0] / "postgres", "-D", data, *(f"-c{k}={v}" for k, v in (usual | settings).items())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
    try:
        _wait(process, folder)
        yield folder
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: ends its own children
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _server():
    """Start the one server of this process; it ends with it.

    A fixture of the session would not do: each file that imports one has its own, and fifteen servers ran side by side.
    """
    ends = ExitStack()
    atexit.register(ends.close)
    return ends.enter_context(serving())


@pytest.fixture(scope="session")
def postgres_server():
    """Give the folder of the server's socket."""
    return _server()


@pytest.fixture
def postgres_url(postgres_server, request):
    """Make a fresh database; gives its URL for ``core.db.connect``."""
    import psycopg

    name = f"t{abs(hash(request.node.nodeid)):x}"
    where = {"host": str(postgres_server), "user": "oathward", "autocommit": True}
    with psycopg.connect(dbname="postgres", **where) as db:
        db.execute(f'CREATE DATABASE "{name}"')
    yield f"postgresql+psycopg://oathward@/{name}?host={postgres_server}"
    with psycopg.connect(dbname="postgres", **where) as db:
        db.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(name="engine")
def postgres_engine(postgres_url):
    """Connect to it, with the tables of every context that the test imports."""
    engine = connect(postgres_url)
    create_tables(engine)
    yield engine
    engine.dispose()


def _wait(process, folder):
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            with psycopg.connect(dbname="postgres", host=str(folder), user="oathward"):
                return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.05)
