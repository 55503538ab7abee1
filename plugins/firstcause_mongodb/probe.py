"""Looks at one MongoDB deployment. The client is kept between checks, and dropped with any error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import MongoClient, errors

from firstcause import MALFORMED_URL, Findings, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause_mongodb import Server

_CODES_BY_NUMBER = {
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

_NO_REPLICA_SET_NUMBER = 76
_UNREACHABLE_CODE = "DB_CONNECTION_ERROR"
_HEALTHY_STATES = {"PRIMARY", "SECONDARY", "ARBITER"}


class MongoProbe:
    """One deployment and the client of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: MongoClient[dict[str, Any]] | None = None
        self._delays: dict[Any, float] = {}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def check(self) -> Reading:
        findings = Findings()
        try:
            self._run_checks(findings)
        except errors.PyMongoError as error:
            self.close()
            findings.down(*_classify_error(error))
        return findings.reading("ping answered")

    def _run_checks(self, findings: Findings) -> None:
        server = self._server
        if self._client is None:
            try:
                self._client = _build_client(server)
            except (errors.InvalidURI, ValueError):
                findings.down(MALFORMED_URL, _UNREACHABLE_CODE)
                return
            self._client.admin.command("ping")
            findings.restart()
        admin = self._client.admin
        admin.command("ping")
        findings.record_latency(server.degraded_ms, "DB_QUERY_SLOW")
        self._measure_status(findings, _run_if_allowed(admin, "serverStatus"))
        status = _run_if_allowed(admin, "replSetGetStatus")
        if status.get("members"):
            configured = _read_delays(_run_if_allowed(admin, "replSetGetConfig"))
            self._delays = {**configured, **server.delayed_members}
        self._measure_members(findings, status)
        self._measure_operations(findings, admin)

    def _measure_status(self, findings: Findings, status: Mapping[str, Any]) -> None:
        connections = status.get("connections", {})
        used, available = connections.get("current"), connections.get("available")
        findings.measure("connections_used", used)
        if used is not None and available is not None and used + available > 0:
            limit = self._server.connections_share
            findings.measure(
                "connections_share", used / (used + available), maximum=limit, code=_UNREACHABLE_CODE
            )
        findings.measure("version", status.get("version"))
        memory = status.get("mem", {}).get("resident")
        findings.measure("resident_mib", memory)

    def _measure_members(self, findings: Findings, status: Mapping[str, Any]) -> None:
        members = status.get("members") or []
        if not members:
            return
        findings.measure("member_count", len(members))
        for member in members:
            state = member.get("stateStr", "?")
            if state not in _HEALTHY_STATES or member.get("health", 1) != 1:
                findings.degraded(f"member {member.get('name')} is {state}", "MONGODB_REPLICATION_LAG")
        primaries = [member for member in members if member.get("stateStr") == "PRIMARY"]
        if not primaries:
            findings.down("the replica set has no primary", "MONGODB_NOT_PRIMARY")
            return
        self._measure_lag(findings, primaries[0], members)

    def _measure_lag(
        self, findings: Findings, primary: Mapping[str, Any], members: Sequence[Mapping[str, Any]]
    ) -> None:
        newest = primary.get("optimeDate")
        behind = [
            max(
                0.0, (newest - member["optimeDate"]).total_seconds() - self._delays.get(member.get("name"), 0)
            )
            for member in members
            if member.get("stateStr") == "SECONDARY" and newest and member.get("optimeDate")
        ]
        if behind:
            limit, code = self._server.replication_lag_s, "MONGODB_REPLICATION_LAG"
            findings.measure("replication_lag_s", max(behind), maximum=limit, code=code)

    def _measure_operations(self, findings: Findings, admin: Any) -> None:
        slow_filter = {
            "active": True,
            "secs_running": {"$gte": self._server.slow_operation_s},
            "op": {"$ne": "none"},
        }
        try:
            reply = admin.command({"currentOp": 1, **slow_filter})
        except errors.OperationFailure:
            return  # shared tiers forbid it
        running = reply.get("inprog")
        if isinstance(running, list):
            # The server's own threads run for ever and name no collection.
            slow = sum(bool(operation.get("ns")) for operation in running)
            findings.measure(
                "slow_operations", slow, maximum=self._server.slow_operations, code="DB_QUERY_SLOW"
            )


def _build_client(server: Server) -> MongoClient[dict[str, Any]]:
    """InvalidURI, ValueError: the URL cannot be read. The text may hold a part of the password."""
    timeout_ms = round(server.timeout * 1000)
    return MongoClient(
        server.url.get_secret_value(),
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        socketTimeoutMS=timeout_ms,
        retryReads=False,
        appname="firstcause",
    )


def _read_delays(reply: Mapping[str, Any]) -> dict[Any, float]:
    """Seconds by which members are behind on purpose, by name. MongoDB before 5.0 calls it slaveDelay."""
    members = reply.get("config", {}).get("members", ())
    return {
        member.get("host"): float(member.get("secondaryDelaySecs", member.get("slaveDelay", 0)))
        for member in members
    }


def _run_if_allowed(admin: Any, command: str) -> Mapping[str, Any]:
    """Run a command; empty if the account may not run it, or the server is not in a replica set."""
    try:
        reply: Mapping[str, Any] = admin.command(command)
    except errors.OperationFailure as error:
        if error.code == _NO_REPLICA_SET_NUMBER or (
            error.code is not None and _CODES_BY_NUMBER.get(error.code) == _CODES_BY_NUMBER[13]
        ):
            return {}
        raise
    return reply


def _classify_error(error: errors.PyMongoError) -> tuple[str, str]:
    """Return the message for people, and the error's code."""
    details = getattr(error, "details", None)
    # NotPrimaryError has no `code` of its own.
    error_number = getattr(error, "code", None) or (
        details.get("code") if isinstance(details, dict) else None
    )
    text = details.get("errmsg") if isinstance(details, dict) else None
    message = " ".join(str(text or error).split())[:300]
    if isinstance(error, errors.NotPrimaryError):
        return message, _CODES_BY_NUMBER.get(error_number or 0, "MONGODB_NOT_PRIMARY")
    return message, _CODES_BY_NUMBER.get(error_number or 0, _UNREACHABLE_CODE)
