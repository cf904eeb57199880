"""What runs at a remote site: check-ins with an offline queue; speaks only the HTTP contract."""
