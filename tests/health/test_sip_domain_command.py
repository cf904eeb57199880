"""``bridgemgr probe`` of a SIP domain, with a real DNS server and a real SIP peer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import find, need

# A network namespace with an unbound and a sipp on its loopback, and nothing else.
_NAMESPACE = """
ip link set lo up
echo nameserver 127.0.0.1 > "$2/resolv.conf"
mount --bind "$2/resolv.conf" /etc/resolv.conf
"$3" -d -c "$2/unbound.conf" 2>/dev/null &
dns=$!
cd "$2"
sipp -sf "$4" -i 127.0.0.1 -p 5070 -t u1 -nostdin >/dev/null 2>&1 &
sip=$!
tries=0
until grep -q ':0035 ' /proc/net/udp && grep -q ':13CE ' /proc/net/udp; do
    tries=$((tries + 1)); [ $tries -lt 500 ] || exit 9; sleep 0.02
done
"$0" -c 'from bridgemgr.cli.probe import probe; probe()' "$1" --timeout 3 --json --debug
done=$?
kill $dns $sip
exit $done
"""
_ZONE = """
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@53
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  local-zone: "bridge.test." static
  local-data: "dead.bridge.test. A 127.0.0.9"
  local-data: "live.bridge.test. A 127.0.0.1"
  local-data: "both.bridge.test. A 127.0.0.9"
  local-data: "both.bridge.test. A 127.0.0.1"
  local-data: "_sip._udp.bridge.test. SRV 10 0 5070 dead.bridge.test."
  local-data: "_sip._udp.bridge.test. SRV 20 0 5070 live.bridge.test."
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.parametrize(
    ("target", "tried"),
    [
        ("sip:room@bridge.test", "tried dead.bridge.test (127.0.0.9 port 5070 over udp): down (timeout)"),
        ("sip:both.bridge.test:5070", "tried both.bridge.test (127.0.0.1 port 5070 over udp): up (SIP/2.0 200 OK)"),
    ],
)
def test_sipp_is_found_through_a_real_dns_server_past_a_dead_address(tmp_path, target, tried):
    need("unshare", "ip", "unbound", "sipp")
    (tmp_path / "unbound.conf").write_text(_ZONE.format(folder=tmp_path))
    scenario = str(Path(__file__).parent / "options.xml")
    arguments = [sys.executable, target, str(tmp_path), find("unbound"), scenario]
    command = ["unshare", "-nm", "sh", "-c", _NAMESPACE, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["outcome"], seen["ready"], seen["address"]) == ("up", True, "127.0.0.1")
    assert tried in done.stderr
