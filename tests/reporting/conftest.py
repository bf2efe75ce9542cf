"""What several tests of reports use."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

if "pdf_structure" not in sys.modules:  # tests are no package: a helper beside them is loaded by its file
    spec = spec_from_file_location("pdf_structure", Path(__file__).with_name("pdf_structure.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["pdf_structure"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
