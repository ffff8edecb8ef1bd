"""Bad input by the ten thousand: made by Hypothesis, given to commands and readers, and judged."""
