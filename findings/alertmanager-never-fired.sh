#!/usr/bin/env bash
# An alert that was over before its first notice was expected not to be in any webhook, as nobody heard of it.
# Alertmanager 0.25.0 (Debian 12) keeps it back when it is alone in its group, but puts it as resolved beside
# the firing alerts when the group has one.
# Whether the same short alert is told of thus depends on its neighbours and not on itself.
# A receiver that pairs each resolve with a firing it has stored meets a resolve for an alert it has never seen,
# and may open an incident in order to close it.
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
route: {receiver: hook, group_by: [], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$(cat port)/', send_resolved: true, max_alerts: 0}]}]
Y
chroot x /usr/bin/prometheus-alertmanager --config.file=/am.yml --storage.path=/data --web.listen-address=127.0.0.1:$A --cluster.listen-address= >am.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
post() { curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' -d "$1" "http://127.0.0.1:$A/api/v2/alerts"; }
now=$(date -u +%FT%TZ)
echo "over, alone: $(post "[{\"labels\":{\"alertname\":\"Over\"},\"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2020-01-01T00:01:00Z\"}]")"
sleep 4
alone=$(wc -l < got); echo "webhooks: $alone"
echo "over, with a firing one: $(post "[{\"labels\":{\"alertname\":\"Fires\"}},{\"labels\":{\"alertname\":\"Over2\"},\"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2020-01-01T00:01:00Z\"}]")"
sleep 5
cat > look.py <<PY
import json, sys
a = [[(x["labels"]["alertname"], x["status"]) for x in json.loads(l)["alerts"]] for l in open("got")]
for x in a: print(x)
sys.exit(0 if $alone == 0 and ("Over2", "resolved") in a[0] and ("Fires", "firing") in a[0] else 1)
PY
python3 look.py
