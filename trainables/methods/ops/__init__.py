"""What rules are made of: parameters as one vector, noise, BatchNorm, third derivatives."""
