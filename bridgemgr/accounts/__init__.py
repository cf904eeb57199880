"""Offices, people, roles, tokens, devices, sessions, sign-in."""
