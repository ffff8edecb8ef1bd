"""What is known of trials: the table of runs, and MLflow, where it is kept."""

from sweep.record.record import Record
from sweep.record.runs import Run, RunStatus, read_runs, write_runs

__all__ = ["Record", "Run", "RunStatus", "read_runs", "write_runs"]
