"""bridgemgr: sites, bridges, check-ins and line health of online conferences."""

__version__ = "0.1.0"
