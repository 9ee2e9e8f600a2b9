"""Photos on disk -> lists -> views -> LMDBs: every partition of the paper, every photo accounted for."""
