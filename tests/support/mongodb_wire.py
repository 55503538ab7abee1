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


class Scripted:
    """answers: command -> what it is answered with, {ok: 1} else. asked: the commands so far."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        scripted = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while head := self.rfile.read(16):
                    length, number, _to, kind = struct.unpack("<iiii", head)
                    body = self.rfile.read(length - 16)
                    self.wfile.write(scripted.answer(kind, number, body))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._server.server_address[1]}/app?directConnection=true"

    def answer(self, kind: int, number: int, body: bytes) -> bytes:
        if kind == _OP_QUERY:  # the first hello of a client
            document = bson.encode(_HELLO)
            reply = struct.pack("<iqii", 8, 0, 0, 1) + document
            return struct.pack("<iiii", 16 + len(reply), 0, number, _OP_REPLY) + reply
        command = bson.decode(body[5:])
        name = next(iter(command))
        self.asked.append(name)
        found = _HELLO if name.lower() in {"hello", "ismaster"} else self.answers.get(name, {"ok": 1.0})
        reply = struct.pack("<i", 0) + b"\x00" + bson.encode(found)
        return struct.pack("<iiii", 16 + len(reply), 0, number, _OP_MSG) + reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def failed(code: int, name: str, words: str) -> dict[str, Any]:
    """What a server answers to a command that it refuses."""
    return {"ok": 0.0, "code": code, "codeName": name, "errmsg": words}
