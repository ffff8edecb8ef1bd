"""Reports of constructed records."""

from __future__ import annotations

from functools import cache

import pytest

import search_spaces
from sweep import aggregate
from sweep.claims.record import claims_of, judge_all
from sweep.claims.show import Report
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.report import Page, report_of
from sweep.selection import selection
from tests.sweep.test_from_a_file import filled

TOGETHER = pytest.mark.xdist_group("reports")
"""Tests that look at the same reports, which each process would make anew."""

NAMES = ("infomcr/table1", "amp/figure8")
"""A table with claims, and a figure."""


def planned(name: str, record: Record) -> Plan:
    artifact = search_spaces.apply(search_spaces.find(name), "smoke")
    return plan(artifact, "smoke", selection("paper"), record)


@cache
def whole(name: str) -> Record:
    """A record in which every trial of an artifact has numbers that are made up."""
    return filled(name)


@cache
def report(name: str, record: Record | None = None) -> Page:
    """Of one artifact at preset smoke; by default of its `whole` record."""
    known = whole(name) if record is None else record
    found = planned(name, known)
    results = [(found, aggregate.cells(found, known))]
    claims = Report(name, search_spaces.PRESETS["smoke"], judge_all(claims_of(name), results))
    commands = [f"sweep {verb} {name} --preset smoke" for verb in ("run", "report")]
    return report_of(name, [found], known, claims if claims.judged else None, commands)
