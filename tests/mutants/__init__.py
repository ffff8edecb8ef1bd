"""The tests can fail: deliberate faults in the code, which they must notice."""
