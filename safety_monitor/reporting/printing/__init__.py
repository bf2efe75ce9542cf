"""Printing: an HTML document to one tagged PDF (``document``). Nothing is imported here: ``press`` loads this package too."""
