"""Every page that people look at: rendered on the server, made live by server-sent events."""
