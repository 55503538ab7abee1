#!/usr/bin/env bash
# A batch of alerts that is answered with 400 was expected not to be stored at all.
# Alertmanager 0.25.0 (Debian 12) takes the valid alerts of the batch, sends their notices, and answers 400 for the one
# with an invalid label name, an end before its start, or no labels that are left.
# A time that cannot be read, on the other hand, refuses all of them, with the same status.
# The text of the answer names a reason but not the alert.
# A sender that takes 400 for "nothing was stored" drops or re-sends alerts that people were already told of,
# and one that takes it for "the rest was stored" loses the whole batch to one bad time.
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
stored() { curl -s "http://127.0.0.1:$A/api/v2/alerts" | python3 -c "import json, sys; print(*sorted(a['labels']['alertname'] for a in json.load(sys.stdin)))"; }
{ for bad in '"labels":{"alertname":"Bad","data.center":"x"}' '"labels":{"alertname":"Bad"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"' '"labels":{"alertname":""}' '"labels":{"alertname":"Bad"},"startsAt":"2026-01-02 noon"'; do
  n=$((${n:-0} + 1)); echo "$n: $(post "[{\"labels\":{\"alertname\":\"Good$n\"}},{$bad}]")"; cat answer >&2; done
echo "stored: $(stored)"; } | tee seen
for _ in $(seq 100); do [ "$(grep -o '"alertname":"Good[123]"' got | sort -u | wc -l)" = 3 ] && break; sleep 0.2; done
echo "told of: $(grep -o 'Good[0-9]' got | sort -u | tr '\n' ' ')" | tee -a seen
printf '%s\n' '1: 400' '2: 400' '3: 400' '4: 400' 'stored: Good1 Good2 Good3' 'told of: Good1 Good2 Good3 ' | diff seen -
