#!/usr/bin/env bash
# An alert posted by vmalert was expected to be the same JSON that Prometheus posts, with empty labels left out.
# vmalert 1.79.5 (Debian 12) writes the key "alertname" twice in the labels object of one alert,
# keeps a label whose template gave an empty text, and adds a label alertgroup.
# A template that names a missing label prints "<no value>" in the annotation, where Prometheus prints nothing.
# A receiver with a strict JSON reader refuses the body for the double key; one that hashes the labels into a
# fingerprint gets another one than Alertmanager, which drops empty labels; and pages show "<no value>" as a name.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download victoria-metrics=1.79.5+ds1-2+b5 2>apt.log || { cat apt.log; exit 2; }
dpkg -x victoria-metrics_*.deb x
echo "victoria-metrics $(dpkg-deb -f victoria-metrics_*.deb Version)"
read -r DB VA < <(python3 -c 'import socket
s=[socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1",0))
print(*[x.getsockname()[1] for x in s])')
cat > rules.yml <<'Y'
groups:
- name: disks
  interval: 1s
  rules:
  - alert: DiskFull
    expr: vector(1)
    labels: {team: '{{ "" }}', severity: page}
    annotations: {summary: 'disk of {{ $labels.instance }}'}
Y
x/usr/bin/victoria-metrics -httpListenAddr=127.0.0.1:$DB -storageDataPath="$T/db" >db.log 2>&1 & P+=($!)
cat > hook.py <<'PY'
import http.server, json, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.send_response(200); self.end_headers()
        print(self.path, body, flush=True)
        keys = []
        alert = json.loads(body, object_pairs_hook=lambda p: keys.append([k for k, _ in p]) or dict(p))[0]
        twice = [k for ks in keys for k in set(ks) if ks.count(k) > 1]
        print("keys written twice:", twice)
        print("labels:", alert["labels"])
        print("annotations:", alert["annotations"])
        self.server.ok = twice == ["alertname"] and alert["labels"] == {"alertname": "DiskFull", "alertgroup": "disks", "team": "", "severity": "page"} and alert["annotations"] == {"summary": "disk of <no value>"}
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Hook); s.ok = False; s.timeout = 40
open("port", "w").write(str(s.server_port) + "\n")
s.handle_request()
sys.exit(0 if s.ok else 1)
PY
python3 hook.py & HOOK=$!; P+=($HOOK)
for _ in $(seq 50); do [ -s port ] && curl -sf "http://127.0.0.1:$DB/health" >/dev/null && break; sleep 0.3; done
x/usr/bin/vmalert -rule=rules.yml -datasource.url="http://127.0.0.1:$DB" -notifier.url="http://127.0.0.1:$(cat port)" -httpListenAddr=127.0.0.1:$VA >va.log 2>&1 & P+=($!)
wait $HOOK
