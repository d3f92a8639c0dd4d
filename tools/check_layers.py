#!/usr/bin/env python3
"""Proves layers.toml: includes point only downwards, equals only along listed edges, restricted headers stay at home."""
import pathlib
import re
import sys

try:
    import tomllib
except ModuleNotFoundError:  # Python < 3.11
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = tomllib.loads((ROOT / "layers.toml").read_text())
LAYERS = RULES["layers"]
SAME = {tuple(part.strip() for part in edge.split("->")) for edge in RULES["same_layer"]}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def check_module(module, target, where):
    if target == module:
        return None
    only = RULES.get("only", {}).get(module)
    if only is not None and target not in only:
        return f"{where}: {module} may include only {', '.join(only)}, not {target}"
    if LAYERS[target] > LAYERS[module]:
        return f"{where}: {module} (L{LAYERS[module]}) includes {target} (L{LAYERS[target]}), upwards"
    if LAYERS[target] == LAYERS[module] and (module, target) not in SAME:
        return f"{where}: {module} -> {target} is not a listed edge between equals"
    return None


def check_header(module, header, where):
    for prefix, homes in RULES["headers"].items():
        if header.startswith(prefix) and module not in homes:
            return f"{where}: <{header}> belongs to {', '.join(homes)}, not {module}"
    return None


def main():
    problems = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".h", ".cc", ".c") or not path.is_file():
            continue
        where = path.relative_to(ROOT)
        module = where.parts[1]
        if module not in LAYERS:
            problems.append(f"{where}: module {module} is not in layers.toml")
            continue
        test = path.stem.endswith("_test")
        for kind, name in INCLUDE.findall(path.read_text()):
            target = name.split("/")[0]
            if kind == '"' and target in LAYERS:
                # A test may use what its subject is used with; the program's own layers stay strict.
                problem = None if test else check_module(module, target, where)
            else:
                problem = None if test else check_header(module, name, where)
            if problem:
                problems.append(problem)
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
