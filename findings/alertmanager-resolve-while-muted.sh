#!/usr/bin/env bash
# An alert that had been notified, was then silenced, and ended during the silence, was expected to be told of as
# resolved once the silence is over. The same for an alert that ended while another one inhibited it.
# Alertmanager 0.25.0 (Debian 12) never sends the resolve: it takes the ended alert off its list at the next flush,
# whether or not the silence held the notice back.
# An equal alert that was not muted gets its resolve, so the receiver cannot know that one is missing.
# A page or incident that was opened before the silence stays open for good,
# and silencing an alert while it is being repaired is what operators do.
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
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}
inhibit_rules: [{source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [host]}]
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:$(cat port)/', send_resolved: true}]}]
Y
chroot x /usr/bin/prometheus-alertmanager --config.file=/am.yml --storage.path=/data --web.listen-address=127.0.0.1:$A --cluster.listen-address= >am.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
post() { curl -sf -o answer -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$A/api/v2/$1" || { echo "refused: $1 $2"; exit 2; }; }
alert() { echo "{\"labels\":{\"alertname\":\"$1\",\"severity\":\"$2\",\"host\":\"$3\"}${4:+,\"endsAt\":\"$4\"}}"; }
now() { date -u -d "${1:-now}" +%FT%TZ; }
# wait until the webhook of one alert with one status has come, 30 s at most
come() { for _ in $(seq 150); do python3 -c "
import json, sys
sys.exit(not any(a['labels']['alertname'] == '$1' and a['status'] == '$2' for l in open('got') for a in json.loads(l)['alerts']))" && return; sleep 0.2; done; echo "no webhook: $1 $2"; exit 3; }
post alerts "[$(alert Plain other a),$(alert Silenced other b),$(alert Inhibited warning c)]"
for a in Plain Silenced Inhibited; do come $a firing; done
post silences "{\"matchers\":[{\"name\":\"alertname\",\"value\":\"Silenced\",\"isRegex\":false}],\"startsAt\":\"$(now)\",\"endsAt\":\"$(now '+20 seconds')\",\"createdBy\":\"probe\",\"comment\":\"repair\"}"
post alerts "[$(alert Source critical c)]"
come Source firing
e=$(now)
post alerts "[$(alert Plain other a $e),$(alert Silenced other b $e),$(alert Inhibited warning c $e)]"
come Plain resolved
sleep 5 # two more flushes, while the two are still muted
post alerts "[$(alert Source critical c $(now))]"
come Source resolved
until curl -s "http://127.0.0.1:$A/api/v2/silences" | grep -q '"state":"expired"'; do sleep 0.5; done
sleep 8 # four flushes after the silence
python3 -c "
import json, sys
seen = [(a['labels']['alertname'], a['status']) for l in open('got') for a in json.loads(l)['alerts']]
for x in seen: print(*x)
sys.exit(0 if not {('Silenced', 'resolved'), ('Inhibited', 'resolved')} & set(seen) else 1)"
