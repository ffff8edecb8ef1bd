"""Faults in what is said of a running sweep."""

# fmt: off
# ruff: noqa: E501  (a fault is easier to read on one line)

from tests.mutants.engine import of

MUTANTS = [
    *of("sweep.cli.status:_status", "",
        ("one.alive and now.state in MOVING", "now.state in MOVING"),
        ("one.alive and now.state in MOVING", "one.alive"),
        ("end in ('done', 'diverged')", "end == 'done'"),
        ("end in ('done', 'diverged')", "False"),
        ("if now.cancelled:\n    cancelled = LiveTrial('queued', now.since, now.epoch, now.epochs, cancelled=True)\n    return TrialStatus(trial, cancelled, 'cancelled; the next `sweep run` runs it')", ""),
        ("end == 'failed' and (not runs)", "end == 'failed'"),
    ),
    *of("sweep.cli.status:of_sweep", "",
        ("one.sweep == name", "True"),
        ("cost.device_hours if cost.from_trials or not cost.unknown_trials else None", "cost.device_hours"),
        ("estimate(planned, record, begun=begun)", "estimate(planned, record)"),
        ("any((one.alive for one in drivers))", "False"),
    ),
    *of("sweep.cli.status:_hours_spent", "",
        ("hours_spent((t.trial_id for t in planned.trials), record) + running / 3600", "hours_spent((t.trial_id for t in planned.trials), record)"),
        ("running / 3600", "running / 60"),
    ),
    *of("sweep.cli.status:rows", "",
        ("one.counts if one.alive else {}", "one.counts"),
    ),
    *of("sweep.run.live:LiveSweep.alive", "",
        ("not self.ended and self.silent() < SILENT_SECONDS", "not self.ended"),
        ("not self.ended and self.silent() < SILENT_SECONDS", "self.silent() < SILENT_SECONDS"),
    ),
    *of("sweep.run.live:LiveSweep.silent", "",
        ("max(0.0, time.time() - self.written)", "time.time() - self.written"),
    ),
]
