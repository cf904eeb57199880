"""What runs at a remote site: check-ins with an offline queue; speaks only the HTTP contract.

It must start on a site's Windows or macOS PC too, so nothing here imports what only the centre has.
"""
