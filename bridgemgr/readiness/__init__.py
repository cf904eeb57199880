"""Joins attendance and health: what a conference looks like right now."""
