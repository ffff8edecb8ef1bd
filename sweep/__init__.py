"""How artifacts are run and read: planned as trials, run by an executor, recorded, tabulated."""
