#!/usr/bin/env python3
"""Greps for what the house style bans; every ban carries its reason."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# (pattern, where it is allowed, reason)
BANS = [
    (r"\bstd::regex\b", (), "slow and backtracking; RE2 has Go's semantics"),
    (r"#include <iostream>", (), "static initialisers in every program; use fmt or sys::write_all"),
    (r"#include <filesystem>", (), "follows symbolic links by path; use sys/file.h or sys/safe_path.h"),
    (r"\bsystem\(|\bpopen\(", (), "no shell is ever run"),
    (r"\bsleep\(|\busleep\(|sleep_for\(", ("src/registry/internal/",), "wait for an event with a deadline (a back-off polls its Cancel)"),
    (r"\babort\(\)", (), "nothing that the outside world causes may end the process"),
    (r"\bgetpwnam\b|\bgetgrnam\b|\bgetpwuid\b", ("src/cli/", "src/bin/sampand.cc"), "NSS loads code; a rootfs is parsed by our own reader"),
    (r"\busing namespace std;", (), "names must say where they come from"),
    (r"TODO(?!\([a-z0-9 -]+\))", (), "a TODO names the work that removes it: TODO(name)"),
]
CODE = (".cc", ".h", ".c")


def main():
    files = subprocess.run(["git", "ls-files", "src", "tests", "bench"], cwd=ROOT, capture_output=True, text=True, check=True)
    problems = []
    for name in files.stdout.split():
        path = ROOT / name
        if path.suffix not in CODE or not path.exists():
            continue
        test = path.stem.endswith("_test") or "for_test" in name or "test_support" in name
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("//")[0]
            for pattern, allowed, reason in BANS:
                if "sleep" in pattern and test:
                    continue  # a test waits for what it cannot watch
                if re.search(pattern, line if "TODO" in pattern else code) and not any(name.startswith(a) for a in allowed):
                    problems.append(f"{name}:{number}: {reason}: {line.strip()[:100]}")
        if path.suffix == ".h" and "#pragma once" not in path.read_text():
            problems.append(f"{name}: no #pragma once")
    for problem in problems:
        print(problem)
    print(f"style: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
