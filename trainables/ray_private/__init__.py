"""All that this package takes from Ray's private modules: in this folder and nowhere else.

Such names move without notice. pyproject.toml therefore bounds Ray's version, and
tests/test_ray_private.py says which of them moved, before any other test fails.

- `start`: where a node listens, its token, and the processes of a start.
- `train`: what workers that share a trial are made of.
- ``python -m trainables.ray_private start ...`` is the command ``ray start``, on loopback.
"""
