#!/usr/bin/env bash
# {{ printf "%d" $value }} in an alert's text was expected to print 5 for the value 5, or promtool check to refuse it.
# promtool 2.42.0 (Debian 12) passes the rule, and the alert reads "%!d(float64=5)": every value is a float.
# {{ printf "%s" $value }} reads "%!s(float64=5)". humanize of 0.5 is "500m", with no unit to explain the m.
# The texts are made only when the alert fires, so the fault shows first on the page at night;
# a receiver that reads the number out of the text finds 64.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
apt-get -qq download prometheus=2.42.0+ds-5+deb12u1 2>apt.log || { cat apt.log; exit 2; }
dpkg -x prometheus_*.deb x
x/usr/bin/promtool --version | head -1
cat > rules.yml <<'Y'
groups:
- name: g
  rules:
  - alert: Full
    expr: jobs > 0
    annotations: {d: '{{ printf "%d" $value }}', s: '{{ printf "%s" $value }}', f: '{{ printf "%.0f" $value }}', half: '{{ humanize 0.5 }}'}
Y
x/usr/bin/promtool check rules rules.yml
cat > test.yml <<'Y'
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series: [{series: jobs, values: '5 5 5'}]
  alert_rule_test:
  - eval_time: 1m
    alertname: Full
    exp_alerts:
    - exp_annotations: {d: '%!d(float64=5)', s: '%!s(float64=5)', f: '5', half: 500m}
Y
cat test.yml | grep exp_annotations
x/usr/bin/promtool test rules test.yml
