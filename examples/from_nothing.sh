#!/bin/bash
# From an empty folder to a table: a method of one's own beside ERM and SAM, on a folder of pictures.
#
#     bash from_nothing.sh                        # on this machine
#     bash from_nothing.sh --address HOST:6379    # on a Ray cluster whose nodes share the folder
#
# It needs the installed package and nothing else, and starts in an empty folder. What stands after
# its name are options of `sweep run`. In the middle the sweep is killed, as a machine may be: the same
# command then trains what is missing.
set -euo pipefail

# Pictures as people have them, a folder for each class: here scikit-learn's digits 0, 1 and 2.
python - << 'PYTHON'
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

digits = load_digits(n_class=3)
for i, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
    folder = Path("pictures", ("zero", "one", "two")[label])
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((15 * pixels).astype("uint8")).save(folder / f"{i}.png")
PYTHON

cat > my_method.py << 'PYTHON'
"""The sign of the gradient, times what is chosen."""

from trainables.methods.base import Method, Output, registry
from trainables.registry import Positive


@registry.register("signs")
class Signs(Method):
    """``factor`` sign(g), g being the gradient."""

    def __init__(self, *, factor: Positive = 0.01) -> None:
        self.factor = factor

    def step(self, objective) -> Output:
        loss, logits = objective.accumulate()
        for p in objective.params:
            p.grad.sign_().mul_(self.factor)
        return Output(loss, logits, objective=None)
PYTHON

cat > pictures.yaml << 'YAML'
name: pictures
import: my_method.py
base:
  data.source: {name: folder, set: pictures, size: 8}
  model: mlp_tiny
  epochs: 10
  batch_size: 32
compare:
  ERM:  {method: erm}
  SAM:  {method: sam, grid: {method.rho: [0.05, 0.1]}}
  mine: {method: signs, grid: {method.factor: [0.01, 0.03]}}
grid: {optimizer.lr: [0.05, 0.1]}
seeds: 2
metrics: [test_error, test_nll]
YAML

sweep plan pictures.yaml --data .

setsid sweep run pictures.yaml --data . "$@" > killed.log 2>&1 &
until compgen -G 'results/trials/*/result.json' > /dev/null; do
    kill -0 $! || { cat killed.log && exit 1; }
    sleep 0.1
done
kill -KILL -- -$! # the sweep and all that it has started
wait $! || true
echo "killed with $(compgen -G 'results/trials/*/result.json' | wc -l) trials done"

sweep run pictures.yaml --data . "$@"
sweep table pictures.yaml
sweep plot pictures.yaml --kind grid --out grid.png
