"""People, events and addressed alerts; a mail server and a certificate for it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from safety_monitor.alerts.routing import Alert, Owed, address
from safety_monitor.config import Config, Person
from safety_monitor.rules.escalation import EventState, decide_alerts
from safety_monitor.study import StudySettings

AT = datetime(2026, 3, 2, 1, 40, tzinfo=UTC)
STUDY = StudySettings.of({"study": {"id": "S1", "title": "A study", "timezone": "Asia/Shanghai"}})


@pytest.fixture(scope="session")
def mail_server() -> ModuleType:
    """tests/mail_server.py"""
    spec = spec_from_file_location("mail_server", Path(__file__).parents[1] / "mail_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture
def study() -> StudySettings:
    return STUDY


@pytest.fixture
def person() -> Callable[..., Person]:
    def make(name: str, role: str, **more: Any) -> Person:
        return Person(name=name, email=f"{name.lower()}@example.org", role=role, **more)

    return make


@pytest.fixture
def event() -> Callable[..., EventState]:
    def make(**changes: Any) -> EventState:
        values: dict[str, Any] = {
            "usubjid": "S1-01-003", "aeseq": 4, "siteid": "01", "term": "Pneumothorax", "version": 1,
            "grade": 3, "serious": True, "serious_basis": ("HOSPITALISATION",), "onset": "2026-02-27",
        }  # fmt: skip
        return EventState(**{**values, **changes})

    return make


@pytest.fixture
def addressed(person: Any, event: Any) -> Callable[..., Alert]:
    """The alert for the step *before* → *after* (default: a new serious event), to one person."""

    def make(
        before: EventState | None = None,
        after: EventState | None = None,
        to: Person | None = None,
        **config: Any,
    ) -> Alert:
        to = to or person("Chen", "safety_officer")
        after = after or event()
        (decision,) = decide_alerts(before, after)
        (alert,) = address([Owed(decision, after, None)], STUDY, Config(people=(to,), **config), AT)
        return alert

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a throw-away authority ``ca.pem`` and a server certificate for localhost from it."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is not installed (make test installs it; Debian: apt-get install openssl)")
    folder = tmp_path_factory.mktemp("certificate")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "names", "-out", "server.pem",
    )  # fmt: skip
    return folder


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # In TLS 1.3 the client may speak before aiosmtpd has changed over to the secured stream; what it says is then lost
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate / "server.pem", certificate / "server.key")
    return context
