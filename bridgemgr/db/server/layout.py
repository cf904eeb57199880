"""Where things lie in a data directory.

::

    data_dir/              as found, or made 0700
      users.lock           shared lock of everybody who needs the server
      supervisor.lock      lock of the keeper
      programs/            PostgreSQL's programs, only where its account cannot reach the installed ones
      postgres/            the server's home, 0700, owned by its account
        cluster/           PGDATA
        cluster.new/       a cluster in the making; renamed when it is complete
        run/               the socket
        server.json        present while the server takes connections
        server.log, server.log.1
"""

import json
from pathlib import Path
from typing import Any

USERS_LOCK = "users.lock"
SUPERVISOR_LOCK = "supervisor.lock"
PROGRAMS = "programs"
HOME = "postgres"

# Below HOME. The keeper makes it its current directory and uses these as relative paths: the
# server's account may have no way there from the root.
CLUSTER = Path("cluster")
UNFINISHED = Path("cluster.new")
SOCKETS = Path("run")
STATE = Path("server.json")
LOG = Path("server.log")

PORT = 5432  # names the socket file; nothing listens on the network
ROLE = "bridgemgr"
DATABASE = "bridgemgr"


def read_state(path: Path) -> dict[str, Any]:
    """What a keeper published, ``{"supervisor": pid, "postmaster": pid}``; empty where nothing is."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(path: Path, *, supervisor: int, postmaster: int) -> None:
    """Publish that the server takes connections, at once and whole."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"supervisor": supervisor, "postmaster": postmaster}))
    draft.rename(path)
