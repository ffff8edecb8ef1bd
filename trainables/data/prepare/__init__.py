"""From downloaded files to prepared ones: decoded once, checked, memory-mapped."""
