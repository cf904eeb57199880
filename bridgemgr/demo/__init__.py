"""The sample city and its simulated sites."""
