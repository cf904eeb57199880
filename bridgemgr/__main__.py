"""``python -m bridgemgr`` is the ``bridgemgr`` command."""

from bridgemgr.cli.main import main

if __name__ == "__main__":
    main()
