#!/usr/bin/env python3
"""Runs every kind of test and ends with one plain line: N passed, N failed.

Unit tests are the programs in build/release/unit (GoogleTest); integration tests are pytest below tests/integration,
some of them once more in a virtual machine with control groups version 2 alone and AppArmor, or with systemd
(tests/guest). All leave JUnit reports, and the counts come from those: a program that dies counts as one failure.
"""
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
REPORTS = BUILD / "reports"


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add_report(self, path):
        """Returns False when there is no readable report."""
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError):
            return False
        for case in root.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif case.find("skipped") is not None or case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
                self.skipped += 1
            else:
                self.passed += 1
        return True


def run(name, argv, report, counts, timeout):
    began = time.monotonic()
    report.unlink(missing_ok=True)
    failed_before = counts.failed
    try:
        status = subprocess.run(argv, cwd=ROOT, timeout=timeout).returncode
    except subprocess.TimeoutExpired:
        status = "timeout"
    readable = counts.add_report(report)
    if status != 0 and counts.failed == failed_before:
        counts.failed += 1
        print(f"{name}: ended with {status}" + ("" if readable else " and no report"), flush=True)
    print(f"-- {name}: {time.monotonic() - began:.1f} s", flush=True)


def main():
    REPORTS.mkdir(parents=True, exist_ok=True)
    counts = Counts()
    for program in sorted((BUILD / "unit").glob("*_test")):
        report = REPORTS / f"{program.name}.xml"
        run(program.name, [str(program), "--gtest_brief=1", f"--gtest_output=xml:{report}"], report, counts, 300)
    report = REPORTS / "integration.xml"
    run("integration", [str(ROOT / "tests/integration/run"), f"--junitxml={report}"], report, counts, 1200)
    report = REPORTS / "guest" / "guest.xml"
    run("guest", [str(ROOT / "tests/guest/run"), f"--junitxml={report}"], report, counts, 600)
    run("guest systemd", [str(ROOT / "tests/guest/run"), "--systemd", f"--junitxml={report}"], report, counts, 300)
    tail = f", {counts.skipped} skipped" if counts.skipped else ""
    print(f"{counts.passed} passed, {counts.failed} failed{tail}", flush=True)
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
