"""A server of MongoDB's wire protocol that answers as a test scripts it."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Any, Self

import bson

_OP_QUERY, _OP_REPLY, _OP_MSG = 2004, 1, 2013
_HELLO = {
    "ismaster": True,
    "helloOk": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}


class ScriptedMongo:
    """answers: command -> what it is answered with, {ok: 1} else. asked: the commands so far."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.answers = answers
        self.commands: list[str] = []
        scripted = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while head := self.rfile.read(16):
                    length, request_id, _to, opcode = struct.unpack("<iiii", head)
                    body = self.rfile.read(length - 16)
                    self.wfile.write(scripted.answer(opcode, request_id, body))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._server.server_address[1]}/app?directConnection=true"

    def answer(self, opcode: int, request_id: int, body: bytes) -> bytes:
        if opcode == _OP_QUERY:  # the first hello of a client
            document = bson.encode(_HELLO)
            reply = struct.pack("<iqii", 8, 0, 0, 1) + document
            return struct.pack("<iiii", 16 + len(reply), 0, request_id, _OP_REPLY) + reply
        command = bson.decode(body[5:])
        name = next(iter(command))
        self.commands.append(name)
        response = _HELLO if name.lower() in {"hello", "ismaster"} else self.answers.get(name, {"ok": 1.0})
        reply = struct.pack("<i", 0) + b"\x00" + bson.encode(response)
        return struct.pack("<iiii", 16 + len(reply), 0, request_id, _OP_MSG) + reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def error_reply(code: int, name: str, message: str) -> dict[str, Any]:
    """What a server answers to a command that it refuses."""
    return {"ok": 0.0, "code": code, "codeName": name, "errmsg": message}
