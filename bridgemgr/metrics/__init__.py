"""Exposition: renders what the rooms counted and hold."""
