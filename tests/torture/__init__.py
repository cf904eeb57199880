"""The service and its PostgreSQL killed again and again under load: nothing acknowledged may be lost or count twice.

``python -m tests.torture`` (``make torture``) runs it in full, ``test_short.py`` in short:

- ``world`` fills a database with sites, devices, conferences and rosters;
- ``service`` is the real service, which can be told at what point of a check-in to kill itself;
- ``clients`` are processes of simulated devices: each event is kept until a receipt for it verifies;
- ``killing`` carries out the plan of kills; ``reckoning`` compares what the clients hold with the database.
"""
