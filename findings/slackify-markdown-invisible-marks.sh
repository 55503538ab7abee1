#!/usr/bin/env bash
# "**web1** is down" was expected to become "*web1* is down" for Slack.
# slackify-markdown 5.0.0 puts an invisible character (U+200B, zero width space) before and after each bold, italic
# and struck part.
# The text looks right, but a host name copied from the alert has the mark next to it, a search for the exact line
# finds nothing, and a message that is compared with its former text to see whether it must be updated differs.
# A table, on the other hand, is passed on as bars and dashes.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund slackify-markdown@5.0.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat > probe.js <<'JS'
let good = true;
const see = (what, got, want) => { const same = JSON.stringify(got) === JSON.stringify(want); good = good && same; console.log(what + ': ' + JSON.stringify(got) + (same ? '' : '   CHANGED, was ' + JSON.stringify(want))); };
const release = (name) => console.log(name, JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version);
release('slackify-markdown');
(async () => {
  const m = await import('slackify-markdown'); const f = m.slackifyMarkdown || m.default;
  see('bold', f('**web1** is down').trimEnd(), '\u200b*web1*\u200b is down');
  see('italic', f('*web1* is down').trimEnd(), '\u200b_web1_\u200b is down');
  see('struck', f('~~web1~~').trimEnd(), '\u200b~web1~\u200b');
  see('code', f('`web1`').trimEnd(), '`web1`');
  see('table', f('| a | b |\n|-|-|\n| 1 | 2 |').trimEnd(), '| a | b |\n| - | - |\n| 1 | 2 |');
  process.exit(good ? 0 : 1);
})();
JS
node probe.js
