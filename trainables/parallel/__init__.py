"""Several workers that share the batches of one trial."""
