"""How fast a snapshot becomes a printed report: pages a second and memory, beside a single plain pass of WeasyPrint.

The peer prints the same HTML in the same run, as a program would that calls WeasyPrint without care
(`HTML(...).write_pdf()`: one process, collector on, no tags). Ours also tags the file (PDF/UA) and joins it. Times are of the
wall;
memory is the largest of any one process (printing part, or the one that joins). The order of the two changes from size to size.

The reports grow by an appendix that lists events, as the reports of large trials do. Tables and figures are timed apart, and
those of adverse events once more over a million events.

    make bench-report                                  # the report alone, 100, 440 and 1,100 pages
    python bench/bench_report.py --short               # the first two, tables over 100,000 events
    python bench/bench_report.py --study FOLDER        # only from the snapshot of a study's files to the report
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import polars as pl

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.reporting.printing.cutting import MARK
from safety_monitor.reporting.printing.document import print_document
from safety_monitor.reporting.printing.press import Press
from safety_monitor.reporting.render import _printable, report_html, report_pdf
from safety_monitor.reporting.tables import Study, Tables, adverse_events, drilldown
from safety_monitor.resources import resource_dir
from safety_monitor.simulate import simulate
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import freeze_study

AT = datetime(2026, 7, 1, tzinfo=UTC)
#: Rows of the appendix: none, and for about 100, 440 and 1,100 pages with the report itself.
ROWS = (0, 1_000, 10_200, 28_000)
EVENTS = 1_000_000
WIDTHS = (13, 22, 25, 7, 11, 11, 11)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="two sizes and fewer events")
    parser.add_argument("--rows", type=int, nargs="*", help="rows of the appendix, instead of the four sizes")
    parser.add_argument("--no-tables", action="store_true", help="leave out the tables over many events")
    parser.add_argument("--study", type=Path, metavar="FOLDER", help="only the report of the study whose files are here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.study:
            whole(imported(chosen.study, Path(folder)))
            return
        simulate(Path(folder) / "data", subjects=96, sites=6)
        snapshot = imported(Path(folder) / "data", Path(folder))
    html = report(snapshot)
    print("pages  ours s  pages/s  peer s  pages/s  peer/ours  ours MB a process  peer MB  file MB", flush=True)
    for number, rows in enumerate(chosen.rows or (ROWS[:2] if chosen.short else ROWS)):
        print(measured(with_appendix(html, snapshot, rows), snapshot.sha256, peer_first=number % 2 == 1), flush=True)
    if not chosen.no_tables:
        tables(snapshot, EVENTS // 10 if chosen.short else EVENTS)


def imported(data: Path, folder: Path) -> Snapshot:
    """The snapshot of the study whose files are in *data*, imported into a database in *folder*."""
    url = f"sqlite:///{folder / 'bench.db'}"
    store.upgrade(url)
    engine = store.connect(url)
    try:
        result = import_paths(engine, Config.model_validate({}), [data], actor="bench", at=AT)
        return freeze_study(engine, result.study_id, None)
    finally:
        engine.dispose()


def report(snapshot: Snapshot) -> str:
    """The report's HTML; says how long tables and the rest took (not the first time, which loads libraries)."""
    report_html("dsmb", snapshot)
    _, tabulating = timed(lambda: dict(Tables(snapshot)))
    html, writing = timed(lambda: report_html("dsmb", snapshot))
    print(f"report of {snapshot.frames['events'].height} events: tables {tabulating:.2f} s, "
          f"figures and HTML {writing - tabulating:.2f} s")  # fmt: skip
    whole(snapshot)
    print()
    return _printable(html)


def whole(snapshot: Snapshot) -> None:
    """Says how long it takes from *snapshot* to its printed report, twice in this process."""
    for time_of in ("first", "second"):
        content, seconds = timed(lambda: report_pdf("dsmb", snapshot))
        with pikepdf.open(io.BytesIO(content)) as document:
            print(f"from the snapshot to the file, {time_of} time: {seconds:.1f} s, {len(document.pages)} pages", flush=True)


def with_appendix(html: str, snapshot: Snapshot, rows: int) -> str:
    """*html* with a listing of *rows* events, those of *snapshot* over and over."""
    if rows == 0:
        return html
    events = snapshot.frames["events"].select("usubjid", "aeterm", "aedecod", "grade", "aestdtc", "aeendtc").fill_null("–")
    again = pl.concat([events] * (rows // events.height + 1)).head(rows)
    columns = "".join(f'<col style="width:{width}%">' for width in WIDTHS)
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Subject", "As reported", "Term", "Grade", "Start", "End", "Row"))
    body = "".join(
        f'<tr><th scope="row">{subject}</th>' + "".join(f"<td>{value}</td>" for value in (*values, number)) + "</tr>"
        for number, (subject, *values) in enumerate(again.cast(pl.String).fill_null("–").iter_rows(), 1)
    )
    listing = (
        f'{MARK}<section id="appendix" class="part"><h2 data-number="99. ">Appendix: all events</h2><table class="listing">'
        f"<colgroup>{columns}</colgroup><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></section>"
    )
    return html.replace("</body>", f"{listing}</body>")


def measured(html: str, identifier: str, *, peer_first: bool) -> str:
    done: dict[str, tuple[float, float, int]] = {}
    for name in ("peer", "ours") if peer_first else ("ours", "peer"):
        done[name] = apart(name, html, identifier)
    (ours, memory, size), (peer, peer_memory, _) = done["ours"], done["peer"]
    with pikepdf.open(Path(tempfile.gettempdir()) / "bench-report.pdf") as document:
        pages = len(document.pages)
    return (
        f"{pages:5d} {ours:7.1f} {pages / ours:8.1f} {peer:7.1f} {pages / peer:8.1f} {peer / ours:10.2f} "
        f"{memory:18.0f} {peer_memory:8.0f} {size / 1e6:8.1f}"
    )


def apart(name: str, html: str, identifier: str) -> tuple[float, float, int]:
    """Seconds, megabytes of the largest process and bytes of the file; in a process of its own, so that nothing is warm."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=printed, args=(name, html, identifier, sending))
    process.start()
    answer = receiving.recv()
    process.join()
    return answer  # type: ignore[no-any-return]


def printed(name: str, html: str, identifier: str, answer: Any) -> None:
    started = time.perf_counter()
    if name == "ours":
        with Press() as press:
            content = print_document(html, identifier, press)
        (Path(tempfile.gettempdir()) / "bench-report.pdf").write_bytes(content)
    else:
        from weasyprint import HTML

        content = HTML(string=html, base_url=f"{resource_dir('templates') / 'reports'}/").write_pdf()
    seconds = time.perf_counter() - started
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    answer.send((seconds, kilobytes / (1024 if sys.platform != "darwin" else 1024**2), len(content)))


def tables(snapshot: Snapshot, count: int) -> None:
    """The tables of adverse events, and the subjects behind each of their cells, over *count* events."""
    many = repeated(snapshot, count // snapshot.frames["events"].height + 1)
    study = Study(many)
    print(f"\n{many.frames['events'].height:,} events of {many.frames['subjects'].height:,} subjects:", flush=True)
    for run in ("first", "second"):
        made, seconds = timed(lambda: list(adverse_events.tables(study)))
        print(f"  tables of adverse events, {run} run: {len(made)} tables, {seconds:.2f} s", flush=True)
    behind, seconds = timed(lambda: drilldown(study, [adverse_events.cells_of]))
    print(f"  the records behind each of their numbers: {behind.frame.height:,} rows, {seconds:.2f} s", flush=True)


def repeated(snapshot: Snapshot, times: int) -> Snapshot:
    """*times* as many subjects, each with the events and doses of one of *snapshot*; the other records are left out."""
    copies = pl.DataFrame({"copy": range(times)}).lazy()
    frames = {
        name: snapshot.frames[name].lazy().join(copies, how="cross")
        .with_columns(usubjid=pl.concat_str("usubjid", pl.lit("-"), pl.col("copy").cast(pl.String)))
        .drop("copy").collect()
        for name in ("subjects", "events", "exposures", "dispositions")
    }  # fmt: skip
    return replace(snapshot, frames=frames)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
