"""The printing processes: HTML to tagged PDF, their collector off, gone when they have printed enough.

Layout makes millions of small objects that all live until the file is written: searching them for garbage takes a third of
the time, and freeing them takes memory that is not given back. So parts are printed by processes that are replaced, forked from
one that has loaded WeasyPrint and little else (a fork of the caller would copy its threads' locks), and started early, so that
it loads while the caller still counts. A fork costs as much as half a page: each prints several parts.

    with Press() as press:
        html = ...
        first, second = press.prints([Job(html_of_first), Job(html_of_second)])
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from safety_monitor.reporting.fonts import font_face_css
from safety_monitor.reporting.printing.cutting import weight
from safety_monitor.resources import resource_dir

#: Documents lighter than this many cells in all are best printed here and now: a new process would take longer.
SMALL = 600
_DONE = "done"
#: Something of all that parts have: what printing it loads, faces above all, no fork has to load again.
_SAMPLE = """<html lang="en"><head><title>sample</title></head><body><section class="part"><h2 data-number="1. ">text</h2>
<p><b>bold</b> <i>slanted</i> <span class="hash">0</span> 样本</p>
<table class="figures"><thead><tr><th scope="col">n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>
</section></body></html>"""
_TEMPLATES = resource_dir("templates") / "reports"
_CHUNK = 65_536
#: What a caller sends that only waits now: its core is free.
_WAITS: list[Any] = []
#: A process that has printed more cells than this gives way to a fresh one: what it took of memory it keeps.
_TIRED = 3000


class Job(NamedTuple):
    """One part to print. Header and footer are not *tagged*: they are no part of what is read."""

    html: str
    tagged: bool = True


def printed(job: Job) -> bytes:
    """The PDF of *job*, not compressed: it is only on its way to be joined."""
    from safety_monitor.reporting.printing.quicker import Parsed
    from safety_monitor.reporting.printing.tagging import tidy

    fonts, styles = _shared()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # a missing weight of a font is drawn bolder; nothing to say
    options = {"pdf_variant": "pdf/ua-1", "finisher": tidy} if job.tagged else {}
    made: bytes = Parsed(job.html, f"{_TEMPLATES}/").write_pdf(
        stylesheets=styles, font_config=fonts, uncompressed_pdf=True, **options
    )
    return made


@cache
def _shared() -> tuple[Any, list[Any]]:
    """Fonts and style sheet of every report, read once for a process and its forks (so a part's HTML need not name them).

    A font of the machine with the same name as one of ours would win over it, and print other glyphs: the machine's fonts
    are not looked for.
    """
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

    from safety_monitor.reporting.printing.quicker import quicken

    quicken()
    with tempfile.TemporaryDirectory() as folder:
        none = Path(folder) / "fonts.conf"
        none.write_text(f"<fontconfig><cachedir>{folder}</cachedir></fontconfig>", "utf-8")
        atexit.register(_shared.cache_clear)  # WeasyPrint lets go of fonts with what is gone when the interpreter ends
        before = os.environ.get("FONTCONFIG_FILE")
        os.environ["FONTCONFIG_FILE"] = str(none)
        try:
            fonts = FontConfiguration()
        finally:
            del os.environ["FONTCONFIG_FILE"]
            if before is not None:
                os.environ["FONTCONFIG_FILE"] = before
    return fonts, [CSS(string=font_face_css(), font_config=fonts), CSS(filename=_TEMPLATES / "style.css", font_config=fonts)]


class Press:
    """Prints parts, *workers* at the same time (as many as there are cores), one fewer while its caller has other work. The
    bytes do not depend on their number."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or _cores()
        self._process: subprocess.Popen[str] | None = None
        self._started = 0
        self._ended: dict[int, str] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="safety-monitor-press-"))

    def __enter__(self) -> Press:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        if self._process is not None:
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def warm(self) -> Press:
        """Start loading now; worth it where much will be printed. What is started before is printed in this process."""
        if self._process is None:
            path = os.pathsep.join(filter(None, sys.path))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "safety_monitor.reporting.printing.press", str(self._workers)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(self._folder)},
            )  # fmt: skip
        return self

    def end(self) -> None:
        """Nothing more will be printed: the processes end, while what they printed is joined."""
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def start(self, job: Job) -> int:
        """Begin to print *job*; the number by which it is collected."""
        self._started += 1
        path = self._folder / str(self._started)
        if self._process is None:
            with collector_off():
                path.with_suffix(".pdf").write_bytes(printed(job))
            self._ended[self._started] = _DONE
            return self._started
        path.with_suffix(".html").write_text(job.html, "utf-8")
        self._send([self._started, str(path), job.tagged, weight(job.html)])
        return self._started

    def collect(self, jobs: Sequence[int]) -> list[bytes]:
        """What became of *jobs*, in their order, when all of them have ended."""
        self._send(_WAITS)
        while missing := [number for number in jobs if number not in self._ended]:
            number, said = self._answer() or (missing[0], "the printing process ended")
            self._ended[number] = said
        for number in jobs:
            if self._ended[number] != _DONE:
                raise RuntimeError(f"the report could not be printed: {self._ended[number]}")
        return [(self._folder / f"{number}.pdf").read_bytes() for number in jobs]

    def prints(self, jobs: Iterable[Job]) -> list[bytes]:
        """Each of *jobs* as PDF, in their order."""
        return self.collect([self.start(job) for job in jobs])

    def _send(self, line: Sequence[Any]) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # it ended; who collects is told
                self._process.stdin.write(f"{json.dumps(line)}\n")
                self._process.stdin.flush()

    def _answer(self) -> tuple[int, str] | None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return None
        number, said = json.loads(line)
        return number, said


@contextmanager
def collector_off() -> Iterator[None]:
    """No search for garbage meanwhile: what a report is made of lives until it is written."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# The process from which the printing ones are forked ---------------------------------------------------------


class _Order(NamedTuple):
    number: int
    path: str
    tagged: bool
    weight: int


@dataclass
class _Hand:
    """A process that prints: where it reads its orders, what is in work, and how many cells it has printed."""

    orders: int
    at_work: _Order | None = None
    load: int = 0

    def give(self, order: _Order) -> None:
        self.at_work = order
        self.load += order.weight
        with suppress(BrokenPipeError):  # it ended just now; that is answered when it is known
            os.write(self.orders, f"{json.dumps(order)}\n".encode())


def serve(workers: int) -> None:
    """Print what the standard input names, a line a part, *workers* at a time, while the caller works one fewer; answer each
    with a line when it has ended.

    When the input ends, what has not begun is left: nobody waits for it.
    """
    gc.disable()
    printed(Job(_SAMPLE))
    gc.freeze()
    ended, end = os.pipe()
    answers, answer = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a byte comes through the pipe whenever a process ends
    waiting: deque[_Order] = deque()
    hands: dict[int, _Hand] = {}
    begun, said, listening, at_once = b"", b"", True, workers
    while listening or hands:
        _give_out(waiting, hands, at_once, answer, listening)
        ready, _, _ = select.select([ended, answers, *([sys.stdin] if listening else [])], [], [])
        if sys.stdin in ready:
            if not (read := os.read(sys.stdin.fileno(), _CHUNK)):
                listening = False
                waiting.clear()
            *lines, begun = (begun + read).split(b"\n")
            for line in map(json.loads, lines):
                at_once = workers if line == _WAITS else max(1, workers - 1)
                waiting.extend([_Order(*line)] if line else [])
        if answers in ready:  # before the news of an end: what was printed was printed
            *done, said = (said + os.read(answers, _CHUNK)).split(b"\n")
            for hand in (hands[int(process)] for process in done):
                assert hand.at_work
                _answer(hand.at_work, _DONE)
                hand.at_work = None
        elif ended in ready:
            os.read(ended, _CHUNK)
            while hands and (gone := os.waitpid(-1, os.WNOHANG))[0]:
                hand = hands.pop(gone[0])
                os.close(hand.orders)
                if hand.at_work:
                    _answer(hand.at_work, _reason(hand.at_work.path, gone[1]))


def _give_out(waiting: deque[_Order], hands: dict[int, _Hand], at_once: int, answer: int, listening: bool) -> None:
    """Orders, *at_once* of them, to hands that are free; a tired one, and every one when nothing more can come, is let go."""
    for process, hand in list(hands.items()):
        if hand.at_work is None and (hand.load > _TIRED or not (listening or waiting)):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(hands.pop(process).orders)
    while waiting and sum(hand.at_work is not None for hand in hands.values()) < at_once:
        free = next((hand for hand in hands.values() if hand.at_work is None), None)
        if free is None:
            process, free = _forked(hands, answer)
            hands[process] = free
        free.give(waiting.popleft())


def _forked(hands: Mapping[int, _Hand], answer: int) -> tuple[int, _Hand]:
    read, write = os.pipe()
    process = os.fork()
    if process:
        os.close(read)
        return process, _Hand(write)
    path, status = "", 1
    try:
        signal.set_wakeup_fd(-1)
        for inherited in (write, *(hand.orders for hand in hands.values())):
            os.close(inherited)
        for line in os.fdopen(read):
            _, path, tagged, _ = json.loads(line)
            Path(f"{path}.pdf").write_bytes(printed(Job(Path(f"{path}.html").read_text("utf-8"), tagged)))
            os.write(answer, b"%d\n" % os.getpid())
        status = 0
    except BaseException:
        Path(f"{path}.error").write_text(traceback.format_exc(), "utf-8")
    finally:
        os._exit(status)  # nothing is torn down: the system takes the memory back at once


def _answer(order: _Order, said: str) -> None:
    print(json.dumps([order.number, said]), flush=True)


def _reason(path: str, status: int) -> str:
    error = Path(f"{path}.error")
    if not error.exists():
        return f"a printing process ended with status {status}; was there too little memory?"
    sys.stderr.write(error.read_text("utf-8"))
    return error.read_text("utf-8").strip().splitlines()[-1]


if __name__ == "__main__":
    serve(int(sys.argv[1]))
    os._exit(0)  # as below
