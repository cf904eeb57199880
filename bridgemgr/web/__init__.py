"""The server kit: route table, problem+json, OpenAPI, middleware, the event-stream hub."""
