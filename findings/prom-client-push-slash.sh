#!/usr/bin/env bash
# A job name or grouping value with a slash, pushed by prom-client, was expected to arrive as it is: the Pushgateway
# has a base64 form for such values, and the Python client uses it.
# prom-client 15.1.3 encodes the slash as %2F, which Pushgateway 1.5.1 (Debian 12) takes for a separator.
# The job "shop/backup/web" is stored as job "shop" with a label backup="web", and answered with 200;
# with one slash the push is refused with 400.
# The series sits under a wrong job, where it can replace that job's own, and an alert on the absence of the right one
# fires although the job ran.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download prometheus-pushgateway=1.5.1-2+b5 2>apt.log || { cat apt.log; exit 2; }
dpkg -x prometheus-pushgateway_*.deb x
npm init -y >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3 >npm.log 2>&1 || { cat npm.log; exit 2; }
python3 -m venv v
v/bin/pip install -q --disable-pip-version-check prometheus_client==0.26.0 2>pip.log || { cat pip.log; exit 2; }
A=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
x/usr/bin/prometheus-pushgateway --version 2>&1 | head -1
x/usr/bin/prometheus-pushgateway --persistence.file= --web.listen-address=127.0.0.1:$A >gateway.log 2>&1 & P+=($!)
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$A/-/ready" >/dev/null && break; sleep 0.3; done
cat > push.js <<'JS'
const p = require('prom-client'); const registry = new p.Registry(); new p.Gauge({ name: 'age', help: 'a', registers: [registry] }).set(1);
const gateway = new p.Pushgateway(process.argv[2], {}, registry);
(async () => { for (const job of ['nightly', 'shop/backup', 'shop/backup/web']) console.log(job, await gateway.pushAdd({ jobName: job }).then(r => r.resp.statusCode, e => e.message.match(/status (\d+)/)[1])); })();
JS
node push.js "http://127.0.0.1:$A" | tee answers
v/bin/python -c "
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
registry = CollectorRegistry(); Gauge('age', 'a', registry=registry).set(1)
push_to_gateway('127.0.0.1:$A', job='python/backup/web', registry=registry)"
curl -s "http://127.0.0.1:$A/metrics" | grep '^age' | LC_ALL=C sort > series; cat series
printf '%s\n' 'nightly 200' 'shop/backup 400' 'shop/backup/web 200' | diff answers -
printf '%s\n' 'age{backup="web",instance="",job="shop"} 1' 'age{instance="",job="nightly"} 1' 'age{instance="",job="python/backup/web"} 1' | diff series -
