"""The helpers of these tests are one package beside them; the mutants' score is printed last."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def pytest_terminal_summary(terminalreporter):
    """How many deliberate faults the tests of the methods caught."""
    found = [
        value
        for report in (
            *terminalreporter.getreports("passed"),
            *terminalreporter.getreports("failed"),
        )
        for key, value in getattr(report, "user_properties", ())
        if key == "mutant_caught" and report.when == "call"
    ]
    if found:
        terminalreporter.write_line(f"method mutants caught: {sum(found)} of {len(found)}")
