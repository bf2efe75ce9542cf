"""Safety statistics: exact, pure, on plain numbers. What is worth counting is decided elsewhere."""
