"""Measured times of training steps over ERM's, for budget ``time`` of compare/methods."""

from search_spaces.spec import StepTime, StepTimes

STEP_TIMES: dict[str, tuple[StepTimes, ...]] = {}
