"""PostgreSQL: the embedded server, the pool, migrations, group commit."""

from bridgemgr.db.pool import Connection, Database, Row

__all__ = ["Connection", "Database", "Row"]
