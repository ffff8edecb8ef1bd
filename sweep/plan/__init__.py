"""What would run: an artifact expanded into trials, as far as the record determines them."""

from sweep.plan.expand import Plan, PlannedStage, PlannedTrial, every_cell, plan

__all__ = ["Plan", "PlannedStage", "PlannedTrial", "every_cell", "plan"]
