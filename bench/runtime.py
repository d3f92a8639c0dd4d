#!/usr/bin/env python3
"""sampan-runtime as a command against runc and crun on one bundle, Docker's default container around a static `true`:
each verb as a whole process, interleaved in one run; then where the time goes, beside the kernel's own price for the
same steps (bench/floor.c); then a thousand runs in a row and the smallest memory limit that still works.

usage: ./dev bench runtime [--rounds N] [--quick]
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bundle import make_bundle
from engines import BIN, ROOT, machine, percentile

VERBS = ("run", "create", "start", "exec", "delete")


class Program:
    """One runtime with its own state directory on a shared bundle."""

    def __init__(self, name, path, home):
        self.name, self.path, self.root, self.home = name, str(path), f"{home}/{name}", home
        self.times = {verb: [] for verb in VERBS}
        self.refusal = None

    def __call__(self, *words, flags=()):
        began = time.perf_counter()
        with open(self.home / "out", "wb") as out:  # a pipe would be held open by what outlives the command
            status = subprocess.run([self.path, "--root", self.root, *flags, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
        took = (time.perf_counter() - began) * 1000
        if status != 0:
            raise RuntimeError(f"{self.name} {words[0]}: {(self.home / 'out').read_text()[-300:].strip()}")
        return took

    def round(self, index, short, long):
        ident = f"b{os.getpid()}-{index}"
        self.times["run"].append(self("run", "--bundle", str(short), ident))
        for verb, words in (("create", ("--bundle", str(long), ident)), ("start", (ident,)), ("exec", (ident, "/bin/true"))):
            self.times[verb].append(self(verb, *words))
        self("kill", ident, "KILL")
        while json.loads(subprocess.run([self.path, "--root", self.root, "state", ident], capture_output=True).stdout)["status"] != "stopped":
            time.sleep(0.001)
        self.times["delete"].append(self("delete", ident))


def compare(programs, rounds, short, long):
    for index in range(rounds):
        for program in programs:  # interleaved, so that a busy moment hits all alike
            if program.refusal:
                continue
            try:
                program.round(index, short, long)
            except RuntimeError as error:
                if program.name == "sampan-runtime":
                    raise
                program.refusal = str(error)
    print(f"\n{'p50 / p99 ms':<16}" + "".join(f"{verb:>16}" for verb in VERBS))
    for program in programs:
        if program.refusal:
            print(f"{program.name:<16}refuses this host: {program.refusal}")
        else:
            print(f"{program.name:<16}" + "".join(
                f"{statistics.median(v):>9.2f} /{percentile(v, 0.99):>5.1f}" for v in program.times.values()))
    ours = programs[0]
    for other in programs[1:]:
        if not other.refusal:
            goal = "goal 0.25" if other.name == "runc" else "goal 1"
            print(f"{'of ' + other.name:<16}" + "".join(
                f"{statistics.median(ours.times[v]) / statistics.median(other.times[v]):>16.2f}" for v in VERBS) + f"  ({goal})")


def floor_steps(rootfs, rounds):
    steps = {}
    for index in range(rounds):
        done = subprocess.run([str(ROOT / "build/release/bench/floor"), str(rootfs), f"floor-{os.getpid()}-{index}"], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            name, value = line.split("\t")
            steps.setdefault(name, []).append(int(value) / 1000)
    return {name: statistics.median(values) for name, values in steps.items()}


def own_steps(program, bundle, rounds):
    steps = {}
    for index in range(rounds):
        log = program.home / "steps.log"
        log.unlink(missing_ok=True)
        program("run", "--bundle", str(bundle), f"s{os.getpid()}-{index}", flags=("--debug", "--log", str(log), "--log-format", "json"))
        for line in log.read_text().splitlines():
            found = re.fullmatch(r"(.*): (\d+) ns", json.loads(line)["msg"])
            if found and found[1] != "wait for start":
                steps.setdefault(found[1], []).append(int(found[2]) / 1000)
    return {name: statistics.median(values) for name, values in steps.items()}


def where_the_time_goes(program, bundle, rounds):
    ours, floor = own_steps(program, bundle, rounds), floor_steps(bundle / "rootfs", rounds)
    print(f"\n| {'step':<32} | {'us':>8} | {'floor us':>8} |\n| {'-' * 32} | {'-' * 8} | {'-' * 8} |")
    for name in [*ours, *(n for n in floor if n not in ours and n != "total")]:
        cells = (f"{table[name]:.0f}" if name in table else "" for table in (ours, floor))
        print("| {:<32} | {:>8} | {:>8} |".format(name, *cells))
    whole = statistics.median(program.times["run"]) * 1000 if program.times["run"] else 0
    print(f"| {'the whole':<32} | {whole:>8.0f} | {floor['total']:>8.0f} |")


def census():
    mounts = len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())
    cgroups = sum(1 for root in pathlib.Path("/sys/fs/cgroup").iterdir() if root.is_dir() for _ in root.iterdir())
    free = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    return {"mounts": mounts, "cgroup entries": cgroups, "files": int(open("/proc/sys/fs/file-nr").read().split()[0]), "available KB": free}


def endurance(program, bundle, rounds):
    for index in range(20):
        program("run", "--bundle", str(bundle), f"w{os.getpid()}-{index}")
    before, began = census(), time.perf_counter()
    for index in range(rounds):
        program("run", "--bundle", str(bundle), f"e{os.getpid()}-{index}")
    rate = rounds / (time.perf_counter() - began)
    after = census()
    print(f"\n{rounds} runs in a row ({rate:.0f}/s): " + ", ".join(f"{key} {before[key]} -> {after[key]}" for key in before))


def smallest_memory(programs, home, rounds):
    print()
    for program in programs:
        if program.refusal:
            continue
        works = None
        for kib in (512, 1024, 2048, 4096, 8192, 16384):
            bundle = home / f"m{kib}"
            make_bundle(bundle, memory=kib * 1024)
            try:
                for index in range(rounds):
                    program("run", "--bundle", str(bundle), f"m{os.getpid()}-{kib}-{index}")
                works = kib
                break
            except RuntimeError:
                subprocess.run([program.path, "--root", program.root, "delete", "--force", f"m{os.getpid()}-{kib}-{index}"], capture_output=True)
            finally:
                shutil.rmtree(bundle)
        print(f"{program.name}: the smallest memory limit with which {rounds} runs of true succeed is {works} KiB" + (" (goal 1024)" if program.name == "sampan-runtime" else ""))


def main():
    parser = argparse.ArgumentParser(prog="./dev bench runtime", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="few rounds: only to see that it works")
    options = parser.parse_args()
    rounds = 5 if options.quick else options.rounds
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-runtime-") as directory:
        home = pathlib.Path(directory)
        short, long = home / "short", home / "long"
        make_bundle(short)
        make_bundle(long, args=["/bin/sleep", "1000"])
        paths = {"sampan-runtime": BIN / "sampan-runtime", "runc": shutil.which("runc"), "crun": shutil.which("crun")}
        programs = [Program(name, path, home) for name, path in paths.items() if path]
        compare(programs, rounds, short, long)
        where_the_time_goes(programs[0], short, rounds)
        endurance(programs[0], short, 50 if options.quick else 1000)
        smallest_memory(programs, home, 3 if options.quick else 10)


if __name__ == "__main__":
    main()
