"""What happens on a day: conferences and their bridges."""
