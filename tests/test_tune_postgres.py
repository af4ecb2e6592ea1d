"""Searches on a PostgreSQL server, as several machines share one: a real one, in a temporary folder."""

import contextlib
import glob
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

pytest.importorskip("optuna")
pytest.importorskip("psycopg")
from test_tune import share_the_trials

BINARIES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BINARIES, reason="there is no PostgreSQL server: apt-get install postgresql"),
]


@pytest.fixture(scope="module")
def server():
    """The URL of a database. The server runs as Debian's user `postgres` where the tests run as root."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pynn-postgres-"))
    if user:
        shutil.chown(folder, user)

    def call(name, *arguments):
        subprocess.run(
            [f"{BINARIES[-1]}/{name}", "-D", str(folder / "data"), *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    try:
        call("initdb", "-A", "trust", "-U", "pynn", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        yield f"postgresql+psycopg://pynn@127.0.0.1:{port}/postgres"
        call("pg_ctl", "stop", "-w", "-m", "fast")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kill", [False, True])
def test_processes_share_a_database(server, kill):
    import sqlalchemy

    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE kill_{kill}".lower()))
    share_the_trials(server.replace("/postgres", f"/kill_{kill}".lower()), kill)
