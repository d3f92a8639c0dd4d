#!/usr/bin/env python3
"""create + start + wait + remove through the API, against Debian's dockerd in the same run; then memory; then the
runtime as a command against runc and crun on one bundle.

usage: ./dev bench start [--rounds N] [--quick]
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from engines import BIN, Sampan, engines, machine, percentile, private_kb, resident_kb, shims_of

GOALS = {"none": 20, "bridge": 15}


def one_life(connection, network):
    began = time.perf_counter()
    body = {"Image": "bench", "Cmd": ["true"], "HostConfig": {"NetworkMode": network}}
    ident = json.loads(connection.call("POST", "/containers/create", body))["Id"]
    connection.call("POST", f"/containers/{ident}/start")
    status = json.loads(connection.call("POST", f"/containers/{ident}/wait"))["StatusCode"]
    connection.call("DELETE", f"/containers/{ident}")
    if status != 0:
        raise RuntimeError(f"exit {status}")
    return (time.perf_counter() - began) * 1000


def alone(engine, network, rounds):
    connection = engine.connection()
    one_life(connection, network)
    return [one_life(connection, network) for _ in range(rounds)]


def burst(engine, network, width, each):
    """`width` clients at once, `each` lives a client: lives per second."""
    failures = []

    def client():
        try:
            connection = engine.connection()
            for _ in range(each):
                one_life(connection, network)
        except Exception as error:  # reported below, by the main thread
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(width)]
    began = time.perf_counter()
    [t.start() for t in threads]
    [t.join() for t in threads]
    if failures:
        raise failures[0]
    return width * each / (time.perf_counter() - began)


def measure_engines(rounds, quick):
    table = {}
    for engine in engines():
        engine.start()
        try:
            engine.import_busybox()
            for network in ("none", "bridge", "host"):
                n = rounds if engine.name == "sampan" else max(5, rounds // 10)
                lives = alone(engine, network, n)
                rate = burst(engine, network, 32, 1 if quick or engine.name != "sampan" else 4)
                table[engine.name, network] = (statistics.median(lives), percentile(lives, 0.99), rate)
        finally:
            engine.stop()
    print(f"\n{'engine':<10}{'network':<10}{'p50 ms':>10}{'p99 ms':>10}{'p99/p50':>10}{'32 at once /s':>15}")
    for (name, network), (p50, p99, rate) in table.items():
        print(f"{name:<10}{network:<10}{p50:>10.2f}{p99:>10.2f}{p99 / p50:>10.1f}{rate:>15.1f}")
    for network in ("none", "bridge", "host"):
        if ("dockerd", network) in table:
            ours, theirs = table["sampan", network], table["dockerd", network]
            goal = f" (goal {GOALS[network]})" if network in GOALS else ""
            print(f"network {network}: {theirs[0] / ours[0]:.1f} times as fast as dockerd{goal}; in the burst {ours[2] / theirs[2]:.1f} times")


def measure_memory(count):
    engine = Sampan().start()
    try:
        engine.import_busybox()
        connection = engine.connection()
        for _ in range(count):
            body = {"Image": "bench", "Cmd": ["sleep", "100000"], "HostConfig": {"NetworkMode": "none"}}
            ident = json.loads(connection.call("POST", "/containers/create", body))["Id"]
            connection.call("POST", f"/containers/{ident}/start")
        daemon = resident_kb(engine.engine_pid())
        sizes = sorted(private_kb(pid) for pid in shims_of(engine))
        print(f"\nmemory with {count} running containers: daemon {daemon / 1024:.1f} MB resident (goal 25), "
              f"idle shim {statistics.median(sizes):.0f} KB private, largest {sizes[-1]} KB (goal 150)")
    finally:
        engine.stop()


def make_bundle(directory):
    """Docker's default container around a static `true`: its spec is the one that our own golden test holds."""
    root = directory / "rootfs"
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    (root / "bin" / "true").symlink_to("busybox")
    golden = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
    spec = json.loads((golden / "spec" / "default" / "expected.json").read_text())
    spec["linux"]["seccomp"] = json.loads((golden / "seccomp" / "default" / "expected.json").read_text())
    spec["mounts"] = [m for m in spec["mounts"] if not m["source"].startswith("/c/")]
    spec["process"]["args"] = ["/bin/true"]
    spec["process"].pop("rlimits", None)  # runc fails where a limit cannot be raised
    spec["linux"]["cgroupsPath"] = f"/bench-{os.getpid()}"
    spec["ociVersion"] = "1.0.2"
    (directory / "config.json").write_text(json.dumps(spec))


def measure_runtimes(rounds):
    programs = {"sampan-runtime": BIN / "sampan-runtime", "runc": shutil.which("runc"), "crun": shutil.which("crun")}
    times = {name: [] for name, program in programs.items() if program}
    refusals = {}
    with tempfile.TemporaryDirectory(prefix="bench-bundle-") as home:
        bundle = pathlib.Path(home) / "bundle"
        make_bundle(bundle)
        for index in range(rounds):
            for name in times:  # interleaved, so that a busy moment hits all alike
                argv = [str(programs[name]), "--root", f"{home}/{name}", "run", "--bundle", str(bundle), f"b{index}"]
                began = time.perf_counter()
                done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
                times[name].append((time.perf_counter() - began) * 1000)
                if done.returncode != 0 and name == "sampan-runtime":
                    raise RuntimeError(f"{name}: {done.stderr.decode()[-500:]}")
                if done.returncode != 0:
                    refusals[name] = done.stderr.decode().strip()[-200:]
                    times[name].pop()
    print(f"\n{'run of a static true':<22}{'p50 ms':>10}{'p99 ms':>10}")
    for name, values in times.items():
        if not values:
            print(f"{name:<22}refuses this host: {refusals[name]}")
            continue
        print(f"{name:<22}{statistics.median(values):>10.2f}{percentile(values, 0.99):>10.2f}")
    ours = statistics.median(times["sampan-runtime"])
    for name in ("runc", "crun"):
        if times.get(name):
            print(f"sampan-runtime takes {ours / statistics.median(times[name]):.2f} of {name}'s time" + (" (goal 0.25)" if name == "runc" else ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("engines", "memory", "runtimes"))
    options = parser.parse_args()
    rounds = 30 if options.quick else options.rounds
    print(machine())
    if options.only in (None, "engines"):
        measure_engines(rounds, options.quick)
    if options.only in (None, "memory"):
        measure_memory(20 if options.quick else 100)
    if options.only in (None, "runtimes"):
        measure_runtimes(min(rounds, 100))


if __name__ == "__main__":
    main()
