"""An HTML document to one tagged PDF: laid out in parts at the same time, then joined. The same HTML gives the same bytes.

How: ``cutting`` cuts the document where a page begins anyway; ``press`` prints the parts in processes of their own, with
``tagging``, the first of them while the last are still being written; then it is known on which page each part begins, and the
front (cover and contents) and the running header and footer are printed with the right numbers; ``joining`` makes one file of
all.
"""

from __future__ import annotations

import html as markup
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pikepdf

from safety_monitor.reporting.printing.cutting import HEAVY, MARK, Document, cut, parts_of, weight
from safety_monitor.reporting.printing.framing import DIGITS, NONE, SHEETS, Frame, digits_of, sheet
from safety_monitor.reporting.printing.joining import SCHEME, Joiner, Part, faces_of, pages_of
from safety_monitor.reporting.printing.press import SMALL, Job, Press
from safety_monitor.reporting.printing.typefaces import Cut
from safety_monitor.reporting.printing.typefaces import cut as cut_faces

_LINK = re.compile(r'<a href="#([^"]+)"([^>]*)>(.*?)</a>', re.S)
_LABEL = re.compile(r'<body[^>]* data-pages="([^"]*)"')
_TAGS = re.compile(r"<[^>]+>")
#: A part without header and footer.
_UNFRAMED = """
@page {
  @top-left { content: none } @top-right { content: none } @bottom-left { content: none } @bottom-right { content: none }
}
"""


def print_document(html: str, identifier: str, press: Press, heavy: int = HEAVY) -> bytes:
    """*html* as PDF/UA bytes; *identifier* names the file's origin. Every character must have a glyph.

    Listings of more than *heavy* cells are laid out in pieces, each from a new page on.
    """
    document = cut(html, heavy)
    if weight(html) >= SMALL:
        press.warm()
    parts = document.parts
    jobs = {n: _begun(document, parts[n], press) for n in sorted(range(len(parts)), key=lambda n: -weight(parts[n]))}
    return _printed(document, [jobs[n] for n in range(len(parts))], identifier, press)


def print_written(
    shell: str, pieces: Iterable[str], shell_at_last: Callable[[], str], pictures: Callable[[], pikepdf.Pdf], identifier: str,
    press: Press, heavy: int = HEAVY,
) -> bytes:  # fmt: skip
    """The same of a document that is still being written: its *shell* (the HTML without the sections that follow its front),
    then the sections in *pieces*, then the shell once more, now that its contents are known, and the *pictures* whose places
    its images hold.
    """
    written = _between_marks(pieces)
    more_of_front = next(written)  # before the first mark

    document = cut(shell)
    jobs = [_begun(document, part, press) for part in parts_of(written, heavy)]
    document = replace(document, front=cut(shell_at_last()).front + more_of_front)
    return _printed(document, jobs, identifier, press, pictures)


def _between_marks(pieces: Iterable[str]) -> Iterator[str]:
    held = ""
    for piece in pieces:
        *whole, rest = piece.split(MARK)
        for each in whole:
            yield held + each
            held = ""
        held += rest
    yield held


def _begun(document: Document, part: str, press: Press) -> int:
    return press.start(Job(document.page(_open(part, {}), _UNFRAMED)))


def _printed(
    document: Document, jobs: Sequence[int], identifier: str, press: Press, pictures: Callable[[], pikepdf.Pdf] | None = None
) -> bytes:
    begun = [press.start(job) for job in (_all_digits(document), _front(document, {}))]
    drawn = pictures() if pictures else None
    digits, *contents = (pikepdf.open(io.BytesIO(content)) for content in press.collect([*begun, *jobs]))
    front, *others = (Part(content) for content in contents)
    faces: dict[str, Cut] = {}
    joiner: Joiner | None = None
    while True:
        pages = pages_of([front, *others])
        kinds = list(dict.fromkeys(kind for part in (front, *others) for kind in part.types))
        last_ones = [press.start(job) for job in (_front(document, pages), _frames(document, kinds))]
        faces = faces or cut_faces(faces_of([digits, *contents]))  # while the last are printed
        joiner = joiner or Joiner(others, drawn)
        last, framed = press.collect(last_ones)
        as_printed, front = front, Part.of(last)
        if len(front.types) == len(as_printed.types):  # else the numbers made the contents a page longer: once more
            break
    press.end()
    empty = pikepdf.open(io.BytesIO(framed)).pages
    label = markup.unescape(_label(document))
    numerals = digits_of(digits.pages[0], label)
    frames = {kind: Frame(page, label, numerals) for kind, page in zip(kinds, empty, strict=True)}
    labels = {name: markup.unescape(_TAGS.sub("", text)).strip() for name, _, text in _LINK.findall(document.front)}
    return joiner.bytes(front, frames, identifier, labels, faces)


def _front(document: Document, pages: Mapping[str, int]) -> Job:
    return Job(document.page(_open(document.front, pages), _UNFRAMED))


def _open(content: str, pages: Mapping[str, int]) -> str:
    """*content* with links that may lead to other parts, and the numbers of the *pages* they lead to."""

    def link(found: re.Match[str]) -> str:
        name, more, text = found.groups()
        return f'<a href="{SCHEME}{name}" data-page="{pages.get(name, 0)}"{more}>{text}</a>'

    return _LINK.sub(link, content)


def _frames(document: Document, kinds: Sequence[str]) -> Job:
    """An empty page of each of these *kinds*, with header and footer."""
    sheets = "".join(sheet(_label(document), kind, NONE) for kind in kinds)
    return Job(document.page(f"{document.running}{sheets}", SHEETS), tagged=False)


def _all_digits(document: Document) -> Job:
    """A page with all glyphs that any frame has, and all that page numbers in the contents have."""
    every = f"{document.running}{sheet(_label(document), 'auto', DIGITS)}"
    return Job(document.page(f"{every}<p>{DIGITS}</p>", SHEETS), tagged=False)


def _label(document: Document) -> str:
    found = _LABEL.search(document.head)
    return found[1] if found else "Page {page} of {pages}"
