"""The server kit: route table, problem+json, OpenAPI, middleware, the event-stream hub."""

from bridgemgr.web.model import Base
from bridgemgr.web.routing import Call, Page, Reply, Route

__all__ = ["Base", "Call", "Page", "Reply", "Route"]
