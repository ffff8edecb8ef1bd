"""The loss around a point: sharpness, lines, planes, decision boundaries."""
