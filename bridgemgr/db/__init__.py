"""PostgreSQL: the embedded server, the pool, migrations, group commit."""
