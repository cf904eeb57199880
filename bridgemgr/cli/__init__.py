"""The command line: one file a command group, each calling the services that the API calls."""
