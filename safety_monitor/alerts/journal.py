"""The delivery journal: which mails a server accepted, kept outside the database, so that a restored one does not repeat them.

One line a mail, appended and synced after the server's yes and before the outbox is marked. A line counts for one lineage of
databases (the hash of the first entry of the audit) and for one content: beside another database, or where the same key now says
something else, nothing is held back. A torn last line is no line. The journal never stops a mail: what cannot be read or written
is as if it were not there, and ``doctor`` says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from safety_monitor.alerts.routing import Alert


@dataclass
class Journal:
    """The lines of one lineage in the file at *path*; new ones are read when asked. Without a path nothing is kept."""

    path: Path | None
    lineage: str
    _accepted: dict[str, dict[str, str]] = field(default_factory=dict)
    _read_to: int = 0

    def message_ids(self) -> frozenset[str]:
        """Every mail that has a line."""
        self._read_on()
        return frozenset(self._accepted)

    def accepted(self, alert: Alert) -> str | None:
        """When, and with which words, a server accepted just this mail; None where no line says so."""
        line = self._accepted.get(alert.message_id)
        if line is None or line.get("content") != content_hash(alert):
            return None
        return f"{line['at']}: {line['reply']}"

    def note(self, alerts: Iterable[Alert], at: str, reply: str) -> bool:
        """Appends a line for each of *alerts* (a digest and what it tells); whether they are on disk."""
        if self.path is None:
            return False
        lines = [
            {"at": at, "lineage": self.lineage, "message_id": alert.message_id, "to": alert.recipient_email,
             "content": content_hash(alert), "reply": reply} for alert in alerts
        ]  # fmt: skip
        # the first line break ends what a full disk may have torn off
        text = "\n" + "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, text.encode())
                os.fsync(file)
            finally:
                os.close(file)
        except OSError:
            return False
        return True

    def _read_on(self) -> None:
        if self.path is None:
            return
        with contextlib.suppress(OSError):
            if not self.path.exists() or self.path.stat().st_size < self._read_to:  # gone, or another file took its place
                self._accepted, self._read_to = {}, 0
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    self._read_to += len(raw)
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        line = json.loads(raw)
                        if line["lineage"] == self.lineage:
                            self._accepted[line["message_id"]] = line


def content_hash(alert: Alert) -> str:
    """What *alert* says to whom; the time of its making is not part of it."""
    said = [alert.study_id, alert.kind.value, alert.rule_id, alert.recipient_email, alert.language, alert.payload]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()
