"""Probing: probers, scheduler, the state that follows, incidents."""
