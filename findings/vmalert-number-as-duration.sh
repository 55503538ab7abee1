#!/usr/bin/env bash
# A rule with "for: 60" and no unit was expected to be refused by vmalert, as Prometheus refuses it.
# vmalert 1.79.5 (Debian 12) takes it for 60 seconds, and also takes "1.5h" and "30s1m",
# while promtool 2.42.0 finds all three invalid; both take 1h30m and a bare 0.
# Rule files are the same format by name and are shared between the two.
# A reader of rule files that follows one of them reports a fault in a file that alerts well,
# or reads a waiting time as none.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download victoria-metrics=1.79.5+ds1-2+b5 prometheus=2.42.0+ds-5+deb12u1 2>apt.log || { cat apt.log; exit 2; }
for d in *.deb; do dpkg -x "$d" x; echo "$(dpkg-deb -f "$d" Package) $(dpkg-deb -f "$d" Version)"; done
bad=0
try() { # value, promtool's answer, vmalert's answer
  printf 'groups:\n- name: g\n  rules:\n  - {alert: A, expr: vector(1), for: %s}\n' "$1" > r.yml
  p=yes; x/usr/bin/promtool check rules r.yml >/dev/null 2>&1 || p=no
  v=yes; x/usr/bin/vmalert -dryRun -rule=r.yml >/dev/null 2>&1 || v=no
  echo "for: $1   promtool $p   vmalert $v"
  [ "$p $v" = "$2 $3" ] || { echo "   CHANGED, was $2 $3"; bad=1; }
}
try 60 no yes; try 1.5h no yes; try 30s1m no yes; try 1h30m yes yes; try 0 yes yes; try 1M no no
exit $bad
