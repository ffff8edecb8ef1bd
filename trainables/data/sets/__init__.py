"""The data sets: a file registers one or several that are read alike."""
