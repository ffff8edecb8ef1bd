"""What came out: real reproductions, run, judged and kept in `docs/results`."""
