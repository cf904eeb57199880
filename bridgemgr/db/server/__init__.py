"""The process that keeps the embedded PostgreSQL: it starts, watches and, after the last user, stops it.

Users and keeper agree through three files of the data directory (layout.py):

1. Whoever needs the server holds a shared lock on ``users.lock``. The kernel drops it however the
   user ends, so kill -9 counts as leaving.
2. The keeper (supervisor.py) holds ``supervisor.lock`` for its whole life and owns postgres, its child.
   It stops postgres as soon as it can have ``users.lock`` for itself, and keeps that until postgres
   is gone: who comes meanwhile waits, then starts a new keeper.
3. While the server takes connections, ``server.json`` says so.

The modules here import the standard library and each other only, relatively. A keeper runs them under
the name ``server``, so that neither ``bridgemgr.db`` nor asyncpg is loaded and it is up in 0.1 s.
"""


class Refused(Exception):
    """The server cannot be started.

    Args:
        code: the code of the error in bridgemgr.errors to raise: ``invalid`` or ``unavailable``.
        message: what is wrong and what to do, for the reader.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
