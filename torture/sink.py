"""A mail server in a process of its own that writes down what it accepts before it says so, and misbehaves as it is told.

The mode stands in a file and is read at each mail: ``ok``, ``rcpt_4xx``, ``data_4xx``, ``5xx ADDRESS``, ``drop_before_dot``,
``drop_after_dot`` (it has accepted, and nobody hears of it), ``slow SECONDS``. One JSON line for each accepted mail, synced.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import socket
import ssl
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class _Server(SMTP):
    mode_file: Path

    async def smtp_DATA(self, arg: str) -> None:
        if self.mode_file.read_text() == "drop_before_dot":
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class _Handler:
    def __init__(self, folder: Path) -> None:
        self.mode_file, self.log = folder / "mode", folder / "accepted.jsonl"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, options: Any) -> str:
        mode = self.mode_file.read_text()
        if mode == "rcpt_4xx":
            return "451 4.3.0 try again"
        if mode == f"5xx {to}":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mode, _, argument = self.mode_file.read_text().partition(" ")
        if mode == "data_4xx":
            return "452 4.3.1 full"
        if mode == "slow":
            await asyncio.sleep(float(argument))  # then it takes the mail, whoever still listens
        self._write_down(envelope.rcpt_tos, envelope.content)
        if mode == "drop_after_dot":
            server.transport.abort()
        return "250 2.0.0 queued"

    def _write_down(self, recipients: list[str], content: bytes) -> None:
        message = message_from_bytes(content)
        line = {
            "at": time.time(), "to": recipients, "message_id": str(message["Message-ID"]), "header_to": str(message["To"]),
            "kind": str(message["X-Safety-Monitor-Alert"]).partition(";")[0], "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (json.dumps(line) + "\n").encode())
        os.fsync(file)
        os.close(file)


def _serve(folder: Path, port: int, certificate: tuple[Path, Path] | None, ready: Any) -> None:
    class Made(Controller):
        def factory(self) -> SMTP:
            context = None
            if certificate:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(*certificate)
            server = _Server(self.handler, tls_context=context, hostname="sink")
            server.mode_file = folder / "mode"
            return server

    Made(_Handler(folder), hostname="127.0.0.1", port=port).start()
    ready.set()
    while True:
        time.sleep(3600)


class Sink:
    """The server, from outside: started, stopped without a word, told how to behave, asked what it took."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.certificate = folder, certificate
        self.mode("ok")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("fork")
        ready = context.Event()
        self.process = context.Process(target=_serve, args=(self.folder, self.port, self.certificate, ready), daemon=True)
        self.process.start()
        if not ready.wait(20):
            raise RuntimeError(f"the mail server does not start on port {self.port}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def mode(self, words: str) -> None:
        (self.folder / "mode.new").write_text(words)
        (self.folder / "mode.new").replace(self.folder / "mode")

    def accepted(self) -> list[dict[str, Any]]:
        log = self.folder / "accepted.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
