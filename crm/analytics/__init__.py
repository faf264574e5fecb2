"""Customer analytics: pure functions from Narwhals frame to Narwhals frame, without I/O and without a clock."""
