"""Check-ins, rosters and the attendance that follows from them."""
