"""How fast a snapshot becomes tables and the DSMB report: seconds, pages per second, and the ratio to plain WeasyPrint.

The peer prints the same HTML in the same run, as a program would that calls WeasyPrint without care
(`HTML(...).write_pdf()`: collector on, no tags). Ours also tags the file (PDF/UA), which costs time and gives access.

    make bench-report
"""

from __future__ import annotations

import io
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
from weasyprint import HTML

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.reporting.render import dsmb_html, pdf
from safety_monitor.reporting.tables import all_tables
from safety_monitor.resources import resource_dir
from safety_monitor.simulate import simulate
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import freeze_study

SUBJECTS = (40, 200)
AT = datetime(2026, 7, 1, tzinfo=UTC)


def main() -> None:
    print("subjects  import s  freeze s  tables s  html s   pdf s  peer s  ratio  pages/s")
    for n in SUBJECTS:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(n, Path(folder)))


def measure(subjects: int, folder: Path) -> str:
    simulate(folder / "data", subjects=subjects)
    url = f"sqlite:///{folder / 'bench.db'}"
    store.upgrade(url)
    engine = store.connect(url)
    config = Config.model_validate({})
    result, importing = _timed(lambda: import_paths(engine, config, [folder / "data"], actor="bench", at=AT))
    snapshot, freezing = _timed(lambda: freeze_study(engine, result.study_id, None))
    _, tabulating = _timed(lambda: all_tables(snapshot))
    html, writing = _timed(lambda: dsmb_html(snapshot))
    printed, printing = _timed(lambda: pdf(html, snapshot.sha256))
    base = resource_dir("templates") / "reports"
    _, peer = _timed(lambda: HTML(string=html, base_url=f"{base}/").write_pdf())
    with pikepdf.open(io.BytesIO(printed)) as document:
        pages = len(document.pages)
    engine.dispose()
    return (
        f"{subjects:8d} {importing:9.2f} {freezing:9.2f} {tabulating:9.2f} {writing:7.2f} {printing:7.2f} {peer:7.2f} "
        f"{printing / peer:6.2f} {pages / printing:8.1f}"
    )


def _timed(work):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
