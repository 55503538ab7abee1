#!/usr/bin/env bash
# An alert that ends and starts anew (with a later start) between two notices was expected to be told of: by a resolve,
# or by a firing webhook with the new start.
# Alertmanager 0.25.0 (Debian 12) sends nothing, since the set of firing alerts is the same as last time.
# The resolve that comes at last bears the second start, which no firing webhook ever had.
# A receiver that pairs firing and resolved by fingerprint and start, as the start is what tells two occurrences
# apart, finds no partner: the first occurrence stays open for ever, and the second ends without having begun.
# The pause between notices is five minutes by default, longer than many a restart takes.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download prometheus-alertmanager=0.25.0-1+b4 2>apt.log || { cat apt.log; exit 2; }
dpkg -x prometheus-alertmanager_*.deb x
echo "prometheus-alertmanager $(dpkg-deb -f prometheus-alertmanager_*.deb Version)"
# it reads its templates from a fixed place, so it is run with the unpacked package as its root (needs root)
for lib in $(ldd x/usr/bin/prometheus-alertmanager | grep -o '/[^ ]*'); do mkdir -p "x$(dirname "$lib")"; cp -L "$lib" "x$lib"; done
mkdir -p x/data
cat > hook.py <<'PY'
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open("got", "ab").write(self.rfile.read(int(self.headers["content-length"])).strip() + b"\n")
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Hook)
open("port", "w").write(str(s.server_port) + "\n")
s.serve_forever()
PY
: > got
python3 hook.py & P+=($!)
A=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
until [ -s port ]; do sleep 0.1; done
cat > x/am.yml <<Y
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 8s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$(cat port)/', send_resolved: true}]}]
Y
chroot x /usr/bin/prometheus-alertmanager --config.file=/am.yml --storage.path=/data --web.listen-address=127.0.0.1:$A --cluster.listen-address= >am.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
now() { date -u -d "${1:-now}" +%FT%TZ; }
post() { curl -sf -H 'Content-Type: application/json' -d "[{\"labels\":{\"alertname\":\"Down\"},\"startsAt\":\"$1\",\"endsAt\":\"$2\"}]" "http://127.0.0.1:$A/api/v2/alerts"; }
come() { for _ in $(seq 200); do [ "$(wc -l < got)" -ge "$1" ] && return; sleep 0.2; done; echo "no webhook $1"; exit 3; }
first=$(now '-10 minutes'); post "$first" "$(now '+5 minutes')"
come 1
sleep 2
post "$first" "$(now '-1 second')"
second=$(now); post "$second" "$(now '+5 minutes')"
sleep 18 # two flushes
echo "webhooks while it fires for the second time: $(wc -l < got)"
post "$second" "$(now)"
come 2
cat > look.py <<PY
import json, sys
seen = [(a["status"], {"$first": "first", "$second": "second"}.get(a["startsAt"], a["startsAt"])) for l in open("got") for a in json.loads(l)["alerts"]]
for status, start in seen: print(status, "with the", start, "start")
sys.exit(0 if seen == [("firing", "first"), ("resolved", "second")] else 1)
PY
python3 look.py
