"""Every HTML page: a reader of all services."""
