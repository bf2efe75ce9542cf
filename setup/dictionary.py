"""Writes docs/dictionary.md, or with NCI's file as argument build/dictionary.md with NCI's text side by side."""

import sys
from pathlib import Path

from ctcae_v403 import official, rendering

root = Path(__file__).resolve().parent.parent
if len(sys.argv) > 1:
    wordings = {each.meddra_code: each for each in official.read(Path(sys.argv[1]))}
    out = root / "build" / "dictionary.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text(rendering.markdown(wordings), encoding="utf-8")
else:
    out = root / "docs" / "dictionary.md"
    out.write_text(rendering.markdown(), encoding="utf-8")
print(out)
