"""Looks at one MongoDB deployment. The client is kept between checks, and dropped with any error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import MongoClient, errors

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstcause_mongodb import Server

_CODES = {
    13: "MONGODB_UNAUTHORIZED",
    18: "MONGODB_AUTH_FAILED",
    8000: "MONGODB_AUTH_FAILED",
    50: "DB_QUERY_SLOW",
    10107: "MONGODB_NOT_PRIMARY",
    13435: "MONGODB_NOT_PRIMARY",
    11602: "MONGODB_NOT_PRIMARY",
    14031: "MONGODB_OUT_OF_SPACE",
}
"""MongoDB's own error codes: github.com/mongodb/mongo, src/mongo/base/error_codes.yml."""

_NO_REPLICA_SET = 76
_UNREACHABLE = "DB_CONNECTION_ERROR"
_WELL = {"PRIMARY", "SECONDARY", "ARBITER"}


class Looking:
    """One deployment and the client of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: MongoClient[dict[str, Any]] | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def look(self) -> Reading:
        found = Findings()
        try:
            self._asked(found)
        except errors.PyMongoError as error:
            self.close()
            found.down(*_why(error))
        return found.reading("ping answered")

    def _asked(self, found: Findings) -> None:
        server = self._server
        if self._client is None:
            wait = round(server.timeout * 1000)
            self._client = MongoClient(
                server.url.get_secret_value(),
                serverSelectionTimeoutMS=wait,
                connectTimeoutMS=wait,
                socketTimeoutMS=wait,
                retryReads=False,
                appname="firstcause",
            )
            self._client.admin.command("ping")
            found.restart()
        admin = self._client.admin
        admin.command("ping")
        found.answered(server.degraded_ms, "DB_QUERY_SLOW")
        self._status(found, _allowed(admin, "serverStatus"))
        self._members(found, _allowed(admin, "replSetGetStatus"))
        self._operations(found, admin)

    def _status(self, found: Findings, told: Mapping[str, Any]) -> None:
        connections = told.get("connections", {})
        used, left = connections.get("current"), connections.get("available")
        found.measure("connections_used", used)
        if used is not None and left is not None and used + left > 0:
            limit = self._server.connections_share
            found.measure("connections_share", used / (used + left), most=limit, code=_UNREACHABLE)
        found.measure("version", told.get("version"))
        memory = told.get("mem", {}).get("resident")
        found.measure("resident_mib", memory)

    def _members(self, found: Findings, told: Mapping[str, Any]) -> None:
        members = told.get("members") or []
        if not members:
            return
        found.measure("member_count", len(members))
        for each in members:
            state = each.get("stateStr", "?")
            if state not in _WELL or each.get("health", 1) != 1:
                found.degraded(f"member {each.get('name')} is {state}", "MONGODB_REPLICATION_LAG")
        primaries = [each for each in members if each.get("stateStr") == "PRIMARY"]
        if not primaries:
            found.down("the replica set has no primary", "MONGODB_NOT_PRIMARY")
            return
        newest = primaries[0].get("optimeDate")
        others = (each.get("optimeDate") for each in members if each.get("stateStr") == "SECONDARY")
        behind = [(newest - other).total_seconds() for other in others if newest and other]
        if behind:
            limit, code = self._server.replication_lag_s, "MONGODB_REPLICATION_LAG"
            found.measure("replication_lag_s", max(0.0, *behind), most=limit, code=code)

    def _operations(self, found: Findings, admin: Any) -> None:
        long = {
            "active": True,
            "secs_running": {"$gte": self._server.slow_operation_s},
            "op": {"$ne": "none"},
        }
        try:
            told = admin.command({"currentOp": 1, **long})
        except errors.OperationFailure:
            return  # shared tiers forbid it
        running = told.get("inprog")
        if isinstance(running, list):
            # The server's own threads run for ever and name no collection.
            slow = sum(bool(each.get("ns")) for each in running)
            found.measure("slow_operations", slow, most=self._server.slow_operations, code="DB_QUERY_SLOW")


def _allowed(admin: Any, command: str) -> Mapping[str, Any]:
    """What a command tells; nothing where the account may not ask, or the server is no replica set."""
    try:
        told: Mapping[str, Any] = admin.command(command)
    except errors.OperationFailure as error:
        if error.code == _NO_REPLICA_SET or (error.code is not None and _CODES.get(error.code) == _CODES[13]):
            return {}
        raise
    return told


def _why(error: errors.PyMongoError) -> tuple[str, str]:
    """What to tell a person, and the error's code."""
    details = getattr(error, "details", None)
    # NotPrimaryError has no `code` of its own.
    number = getattr(error, "code", None) or (details.get("code") if isinstance(details, dict) else None)
    words = details.get("errmsg") if isinstance(details, dict) else None
    said = " ".join(str(words or error).split())[:300]
    if isinstance(error, errors.NotPrimaryError):
        return said, _CODES.get(number or 0, "MONGODB_NOT_PRIMARY")
    return said, _CODES.get(number or 0, _UNREACHABLE)
