"""Changes of the batch, its targets or its loss, which compose with every rule."""
