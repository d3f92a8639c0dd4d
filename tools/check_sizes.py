#!/usr/bin/env python3
"""Refuses files and functions past the hard limits; tools/size_waivers.txt names the dated exceptions."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {".cc": 600, ".c": 600, ".h": 300}
TEST_LIMIT = 1000
FUNCTION_LIMIT = 60
WAIVERS = ROOT / "tools" / "size_waivers.txt"


def waived():
    """path[:function] -> reason; a line is `path[:function]  YYYY-MM-DD  reason`."""
    out = {}
    if WAIVERS.exists():
        for line in WAIVERS.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                key, _, reason = line.strip().partition(" ")
                out[key] = reason.strip()
    return out


def functions(text):
    """(name, length) of every function body: a line that opens a brace at column 0 or 2 after a parameter list."""
    lines = text.splitlines()
    start = name = None
    for number, line in enumerate(lines):
        if start is None:
            match = re.match(r"^(?: {0,2})(?!namespace|struct|class|enum|union|extern|using|//|#|\}|if|for|while|switch|else|do)"
                             r"[\w:<>,&*~\[\] ]+?([\w~]+)\s*\(.*$", line)
            if match and not line.rstrip().endswith(";"):
                start, name, depth, opened = number, match.group(1), 0, False
            else:
                continue
        code = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|//.*', "", line)
        depth += code.count("{") - code.count("}")
        opened = opened or "{" in code
        if opened and depth <= 0:
            yield name, number - start + 1
            start = None
        elif not opened and (code.rstrip().endswith(";") or number - start > 12):
            start = None


def main():
    exceptions, problems, used = waived(), [], set()

    def report(key, message):
        if key in exceptions:
            used.add(key)
        else:
            problems.append(message)

    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in LIMITS:
            continue
        where = str(path.relative_to(ROOT))
        text = path.read_text()
        limit = TEST_LIMIT if path.stem.endswith("_test") else LIMITS[path.suffix]
        count = text.count("\n")
        if count > limit:
            report(where, f"{where}: {count} lines, limit {limit}")
        if path.stem.endswith("_test"):
            continue
        for name, length in functions(text):
            if length > FUNCTION_LIMIT:
                report(f"{where}:{name}", f"{where}: {name}() has {length} lines, limit {FUNCTION_LIMIT}")
    for key in sorted(set(exceptions) - used):
        problems.append(f"{WAIVERS.name}: {key} needs no waiver any more")
    for problem in problems:
        print(problem)
    print(f"sizes: {len(problems)} problem(s), {len(used)} waiver(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
