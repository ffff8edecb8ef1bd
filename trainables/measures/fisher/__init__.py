"""Gram matrices of gradients and the Fisher information."""
