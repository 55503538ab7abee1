#!/usr/bin/env bash
# With the threshold plugin of collectd an unknown value (U) after a warning was expected to be told of as unknown,
# or not to change the state.
# collectd 5.12.0 (Debian 12) tells OKAY: "All data sources are within range again. Current value of "value" is nan",
# since a number that is none is above no limit. The notification handed to programs says CurrentValue: nan.
# A plugin writes U when it cannot read its sensor, as the manual asks it to.
# A disk or database that fails during an alarm thus clears the alarm, and the resolve looks like any other.
set -euo pipefail
T=$(mktemp -d); P=()
trap 'for p in ${P[@]+"${P[@]}"}; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
chmod 755 "$T" # the exec plugin runs its programs as another user
apt-get -qq download collectd-core=5.12.0-14 libltdl7 2>apt.log || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" x; done
dpkg-deb -f collectd-core_*.deb Package Version
cat > feed <<'F'
#!/bin/sh
put() { echo "PUTVAL web1/shop/gauge-load interval=20 $(date +%s):$1"; }
put 5; sleep 1.1; put 15; sleep 1.1; put U
sleep 60
F
chmod 755 feed
cat > collectd.conf <<C
Interval 1
BaseDir "$T"
PIDFile "$T/pid"
PluginDir "$T/x/usr/lib/collectd"
TypesDB "$T/x/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "$T/log"
  Timestamp false
</Plugin>
LoadPlugin exec
<Plugin exec>
  Exec "nobody" "$T/feed"
</Plugin>
LoadPlugin threshold
<Plugin threshold>
  <Plugin "shop">
    <Type "gauge">
      WarningMax 10
    </Type>
  </Plugin>
</Plugin>
C
LD_LIBRARY_PATH=$T/x/usr/lib/x86_64-linux-gnu x/usr/sbin/collectd -f -C collectd.conf >out 2>&1 & P+=($!)
for _ in $(seq 100); do grep -q 'is nan' log 2>/dev/null && break; sleep 0.2; done
grep Notification log | cut -c1-260
cat > look.py <<'PY'
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
lines = [line for line in open("log") if "Notification" in line]
level = lambda words: [line.split("severity = ")[1].split(",")[0] for line in lines if words in line]
see("15, above the limit", level("currently 15.0"), ["WARNING"])
see("unknown", level('Current value of "value" is nan'), ["OKAY"])
sys.exit(0 if good else 1)
PY
python3 look.py
