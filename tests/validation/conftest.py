"""The validation study is no package: its modules are imported as its command sees them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "validation"))
