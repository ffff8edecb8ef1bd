"""From texts to the tensors that a batch is made of."""
