#!/usr/bin/env bash
# A tool that raises ValueError("no such alert") was expected to answer with an error result that holds that text.
# The Python mcp 2.3.0 server answers "Error executing tool NAME" only; the message of the exception stays in its log.
# Only a ToolError passes its text on, and a wrong argument or unknown tool is still explained in full.
# An assistant that calls an alerting tool cannot tell a misspelt id from a database that is down,
# unless the tool wraps each of its errors.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 -m venv "$T/v"
"$T/v/bin/pip" install -q --disable-pip-version-check mcp==2.3.0 2>"$T/pip.log" || { cat "$T/pip.log"; exit 2; }
cat > "$T/probe.py" <<'PY'
from importlib.metadata import version
import sys
good = True
def see(what, got, want):
    global good
    same = got == want
    good = good and same
    print(f"{what}: {got!r}" + ("" if same else f"   CHANGED, was {want!r}"))
import asyncio, logging
logging.disable(logging.CRITICAL)
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
print("mcp", version("mcp"))
server = MCPServer("alerts")
@server.tool()
def plain(n: int = 0) -> str:
    raise ValueError("no such alert")
@server.tool()
def wrapped() -> str:
    raise ToolError("no such alert")
async def main():
    async with Client(server) as c:
        async def ask(name, args={}):
            r = await c.call_tool(name, args)
            return r.is_error, r.content[0].text
        see("ValueError", await ask("plain"), (True, "Error executing tool plain"))
        see("ToolError", await ask("wrapped"), (True, "Error executing tool wrapped: no such alert"))
        see("unknown tool", await ask("nothing"), (True, "Unknown tool: nothing"))
        see("wrong argument is named", "valid integer" in (await ask("plain", {"n": "x"}))[1], True)
asyncio.run(main())
sys.exit(0 if good else 1)
PY
"$T/v/bin/python" "$T/probe.py"
