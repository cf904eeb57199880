"""What stands for years: areas, sites, endpoints."""
