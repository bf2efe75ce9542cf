"""The printing processes: HTML to tagged PDF, one process a part, its collector off, gone when the part is written.

Layout makes millions of small objects that all live until the file is written: searching them for garbage takes a third of
the time, and freeing them takes memory that is not given back. So each part is printed by a process of its own, forked from
one that has loaded WeasyPrint and little else (a fork of the caller would copy its threads' locks), and started early, so that
it loads while the caller still counts.

    with Press() as press:
        html = ...
        first, second = press.prints([Job(html_of_first), Job(html_of_second)])
"""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from safety_monitor.reporting.fonts import font_face_css
from safety_monitor.reporting.printing.cutting import weight
from safety_monitor.resources import resource_dir

#: Documents lighter than this many cells in all are printed here and now: a new process would take longer.
SMALL = 600
_DONE = "done"


class Job(NamedTuple):
    """One part to print. Header and footer are not *tagged*: they are no part of what is read."""

    html: str
    tagged: bool = True


def printed(job: Job) -> bytes:
    """The PDF of *job*, not compressed: it is only on its way to be joined."""
    from weasyprint import HTML

    from safety_monitor.reporting.printing.tagging import tidy

    fonts, style = _typefaces()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # a missing weight of a font is drawn bolder; nothing to say
    options = {"pdf_variant": "pdf/ua-1", "finisher": tidy} if job.tagged else {}
    made: bytes = HTML(string=job.html, base_url=f"{resource_dir('templates') / 'reports'}/").write_pdf(
        stylesheets=[style], font_config=fonts, uncompressed_pdf=True, **options
    )
    return made


@cache
def _typefaces() -> tuple[Any, Any]:
    """The fonts of every report, read once for a process and its forks (so a part's HTML need not name them).

    A font of the machine with the same name as one of ours would win over it, and print other glyphs: the machine's fonts
    are not looked for.
    """
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

    with tempfile.TemporaryDirectory() as folder:
        none = Path(folder) / "fonts.conf"
        none.write_text(f"<fontconfig><cachedir>{folder}</cachedir></fontconfig>", "utf-8")
        before = os.environ.get("FONTCONFIG_FILE")
        os.environ["FONTCONFIG_FILE"] = str(none)
        try:
            fonts = FontConfiguration()
        finally:
            del os.environ["FONTCONFIG_FILE"]
            if before is not None:
                os.environ["FONTCONFIG_FILE"] = before
    return fonts, CSS(string=font_face_css(), font_config=fonts)


class Press:
    """Prints parts, *workers* at the same time (as many as there are cores). The bytes do not depend on their number."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or _cores()
        self._process: subprocess.Popen[str] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="safety-monitor-press-"))

    def __enter__(self) -> Press:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()  # nothing more to print: it ends
        shutil.rmtree(self._folder, ignore_errors=True)

    def warm(self) -> Press:
        """Start loading now; worth it where much will be printed."""
        if self._process is None:
            path = os.pathsep.join(filter(None, sys.path))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "safety_monitor.reporting.printing.press", str(self._workers)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(self._folder)},
            )  # fmt: skip
        return self

    def prints(self, jobs: Sequence[Job]) -> list[bytes]:
        """Each of *jobs* as PDF, in their order."""
        if self._process is None and sum(weight(job.html) for job in jobs) < SMALL:
            return _here(jobs)
        for number, job in enumerate(jobs):
            (self._folder / f"{number}.html").write_text(job.html, "utf-8")
        longest_first = sorted(range(len(jobs)), key=lambda number: -weight(jobs[number].html))
        order = [[str(self._folder / str(number)), jobs[number].tagged] for number in longest_first]
        if (answer := self._answer(json.dumps(order))) != _DONE:
            raise RuntimeError(f"the report could not be printed: {answer or 'the printing process ended'}")
        return [(self._folder / f"{number}.pdf").read_bytes() for number in range(len(jobs))]

    def _answer(self, order: str) -> str:
        process = self.warm()._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{order}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()


def _here(jobs: Sequence[Job]) -> list[bytes]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [printed(job) for job in jobs]
    finally:
        if collecting:
            gc.enable()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# The process from which the printing ones are forked ---------------------------------------------------------


def serve(workers: int) -> None:
    """Read lists of files on the standard input; answer each when all have been printed, or say what went wrong."""
    _typefaces()
    gc.disable()
    gc.freeze()
    for line in sys.stdin:
        waiting = list(reversed(json.loads(line)))
        running: dict[int, str] = {}
        failed: list[str] = []
        while waiting or running:
            while waiting and len(running) < workers:
                path, tagged = waiting.pop()
                running[_forked(path, tagged)] = path
            process, status = os.wait()
            path = running.pop(process)
            if status:
                failed.append(_reason(path, status))
                waiting.clear()
        print("; ".join(failed) or _DONE, flush=True)


def _forked(path: str, tagged: bool) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        Path(f"{path}.pdf").write_bytes(printed(Job(Path(f"{path}.html").read_text("utf-8"), tagged)))
        status = 0
    except BaseException:
        Path(f"{path}.error").write_text(traceback.format_exc(), "utf-8")
    finally:
        os._exit(status)  # nothing is torn down: the system takes the memory back at once


def _reason(path: str, status: int) -> str:
    error = Path(f"{path}.error")
    if not error.exists():
        return f"a printing process ended with status {status}; was there too little memory?"
    sys.stderr.write(error.read_text("utf-8"))
    return error.read_text("utf-8").strip().splitlines()[-1]


if __name__ == "__main__":
    serve(int(sys.argv[1]))
