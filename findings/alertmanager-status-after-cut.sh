#!/usr/bin/env bash
# With max_alerts the webhook was expected to shorten only its list of alerts; its status and common labels are those
# of the group.
# Alertmanager 0.25.0 (Debian 12) works both out after the cut, from the alerts that are left, which are the first
# by their job label. While an alert further down still fires, the webhook of the group says "resolved"
# as soon as the ones on top have ended, and truncatedAlerts does not tell what was cut.
# commonLabels of one alert out of two holds every label of that one.
# A receiver that closes its incident on the group's status closes it in the middle of the outage.
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
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$(cat port)/', send_resolved: true, max_alerts: 1}]}]
Y
chroot x /usr/bin/prometheus-alertmanager --config.file=/am.yml --storage.path=/data --web.listen-address=127.0.0.1:$A --cluster.listen-address= >am.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
post() { curl -sf -H 'Content-Type: application/json' -d "$1" "http://127.0.0.1:$A/api/v2/alerts"; }
come() { for _ in $(seq 150); do [ "$(wc -l < got)" -ge "$1" ] && return; sleep 0.2; done; echo "no webhook $1"; exit 3; }
post '[{"labels":{"alertname":"Disk","job":"a","team":"web"}},{"labels":{"alertname":"Outage","job":"b","team":"db"}}]'
come 1
post "[{\"labels\":{\"alertname\":\"Disk\",\"job\":\"a\",\"team\":\"web\"},\"endsAt\":\"$(date -u +%FT%TZ)\"}]"
come 2
echo "still firing: $(curl -s "http://127.0.0.1:$A/api/v2/alerts" | grep -o '"alertname":"[A-Za-z]*"')"
cat > look.py <<'PY'
import json, sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
for number, line in enumerate(open("got")):
    hook = json.loads(line)
    see(f"webhook {number + 1}", [hook["status"], hook["truncatedAlerts"], [(a["labels"]["alertname"], a["status"]) for a in hook["alerts"]], hook["commonLabels"].get("team")], [["firing", 1, [("Disk", "firing")], "web"], ["resolved", 1, [("Disk", "resolved")], "web"]][number])
sys.exit(0 if good else 1)
PY
python3 look.py
