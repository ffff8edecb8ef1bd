"""The Hessian of a loss: products, traces, spectra."""
