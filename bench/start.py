#!/usr/bin/env python3
"""create + start + wait + remove through the API, against Debian's dockerd in the same run; then memory.

usage: ./dev bench start [--rounds N] [--quick]
"""
import argparse
import json
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from engines import Sampan, engines, machine, percentile, private_kb, resident_kb, shims_below

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
        sizes = sorted(private_kb(pid) for pid in shims_below(engine.home))
        print(f"\nmemory with {count} running containers: daemon {daemon / 1024:.1f} MB resident (goal 25), "
              f"idle shim {statistics.median(sizes):.0f} KB private, largest {sizes[-1]} KB (goal 150)")
    finally:
        engine.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("engines", "memory"))
    options = parser.parse_args()
    rounds = 30 if options.quick else options.rounds
    print(machine())
    if options.only in (None, "engines"):
        measure_engines(rounds, options.quick)
    if options.only in (None, "memory"):
        measure_memory(20 if options.quick else 100)


if __name__ == "__main__":
    main()
