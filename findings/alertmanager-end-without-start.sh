#!/usr/bin/env bash
# An alert posted with an end but no start was expected to start at the moment it is received.
# Alertmanager 0.25.0 (Debian 12) gives it the end as its start: the firing webhook then tells of an alert that begins
# in the future, with no length, and a start that is later than now is refused when no end is given.
# A resolve that repeats only the labels and an end before the known start replaces the start by that end and empties
# the annotations, so the resolved webhook has neither the first time nor the runbook link.
# Scripts and amtool alert add --end post in just this way; ages, time to repair and de-duplication by
# fingerprint and start go wrong downstream.
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
route: {receiver: hook, group_by: ['...'], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$(cat port)/', send_resolved: true, max_alerts: 0}]}]
Y
chroot x /usr/bin/prometheus-alertmanager --config.file=/am.yml --storage.path=/data --web.listen-address=127.0.0.1:$A --cluster.listen-address= >am.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
post() { curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' -d "$1" "http://127.0.0.1:$A/api/v2/alerts"; }
soon=$(date -u -d "+1 hour" +%FT%TZ)
echo "end only: $(post "[{\"labels\":{\"alertname\":\"Job\"},\"annotations\":{\"runbook\":\"r\"},\"endsAt\":\"$soon\"}]")"
echo "later start only: $(post "[{\"labels\":{\"alertname\":\"Later\"},\"startsAt\":\"$soon\"}]") $(cat answer)" | tee later
echo "plain: $(post "[{\"labels\":{\"alertname\":\"Disk\"},\"annotations\":{\"runbook\":\"r\"}}]")"
sleep 4
echo "resolve by labels and an earlier end: $(post "[{\"labels\":{\"alertname\":\"Disk\"},\"endsAt\":\"2026-01-01T00:00:00Z\"}]")"
sleep 5
cat > look.py <<PY
import json, sys
a = [(x["labels"]["alertname"], x["status"], x["startsAt"], x["endsAt"], x["annotations"]) for l in open("got") for x in json.loads(l)["alerts"]]
for x in a: print(x)
job = next(x for x in a if x[0] == "Job"); disk = [x for x in a if x[0] == "Disk"]
ok = job[1] == "firing" and job[2] == "$soon" and disk[0][1] == "firing" and disk[0][4] == {"runbook": "r"}
ok = ok and disk[-1][1:] == ("resolved", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", {}) and " 400 " in open("later").read()
sys.exit(0 if ok else 1)
PY
python3 look.py
