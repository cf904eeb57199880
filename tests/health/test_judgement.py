from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridgemgr.health.judgement import judge
from bridgemgr.health.model import Endpoint
from bridgemgr.health.probers import Observation
from bridgemgr.health.targets import parse_target
from bridgemgr.settings.model import ProbeSettings

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ENDPOINT = Endpoint(1, 1, "x05", "", parse_target("tls://10.0.0.1:443"), None, None, None, False)
SEEN = Observation(
    True, True, "ok", "", tls_version="TLSv1.3", tls_cipher="AES", certificate_not_after=NOW + timedelta(days=30)
)


@pytest.mark.parametrize(
    ("then", "is_news"),
    [
        (SEEN, False),
        (replace(SEEN, round_trip=0.25), False),  # no board shows it
        (replace(SEEN, ready=False), True),
        (replace(SEEN, tls_version="TLSv1"), True),
        (replace(SEEN, tls_cipher="RC4"), True),
        (replace(SEEN, certificate_not_after=NOW + timedelta(days=1)), True),
    ],
)
def test_what_a_board_shows_of_an_endpoint_is_news(then, is_news):
    before = judge(ENDPOINT, None, SEEN, NOW, ProbeSettings()).health
    found = judge(ENDPOINT, before, then, NOW + timedelta(seconds=10), ProbeSettings())
    assert found.changed is is_news
