"""A real IMAP server (Dovecot) of the tests' own: one user, a Maildir, TLS with a certificate of its own; stopped by its id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "bounces", "Paßwort-1"
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail
first_valid_uid = 1
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass(frozen=True)
class Imap:
    port: int
    certificate: Path
    inbox: Path

    def receive(self, name: str, content: bytes) -> None:
        (self.inbox / "new" / name).write_bytes(content)
        shutil.chown(self.inbox / "new" / name, "mail", "mail")


@contextmanager
def serving() -> Iterator[Imap]:
    """Answers on the loopback until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="sm-imap-"))
    folder.chmod(0o755)
    key, certificate = str(folder / "key.pem"), str(folder / "cert.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    for name in ("mail/new", "mail/cur", "mail/tmp", "home", "run"):
        (folder / name).mkdir(parents=True)
    for path in (folder / "mail", folder / "home", *(folder / "mail").iterdir()):
        shutil.chown(path, "mail", "mail")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = CONFIG.format(folder=folder, port=port, password=PASSWORD, user="mail", group="mail")
    (folder / "dovecot.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen([str(_program()), "-F", "-c", str(folder / "dovecot.conf")])
    try:
        _wait(port, process, folder / "log")
        yield Imap(port, folder / "cert.pem", folder / "mail")
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def installed() -> bool:
    return _program() is not None and os.geteuid() == 0


def _program() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"dovecot has ended: {log.read_text() if log.exists() else 'no log'}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("dovecot does not answer")
