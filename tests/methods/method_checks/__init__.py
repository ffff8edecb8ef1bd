"""Slow, dense, obviously right references for the training methods, and checks made of them."""
