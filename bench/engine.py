#!/usr/bin/env python3
"""What clients wait for, against Debian's dockerd: both engines are up at once and take turns, so that a busy moment
hits both alike; then what only we promise: memory, and that nothing grows.

usage: ./dev bench engine [--rounds N] [--quick] [--execs N] [--only start|busy|exec|burst|stop|ps|memory|flat ...]
"""
import argparse
import json
import pathlib
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from engines import Dockerd, Sampan, machine, percentile, private_kb, resident_kb, shims_below

SLEEP = ["sleep", "100000"]


def create(connection, network="none", command=SLEEP):
    body = {"Image": "bench", "Cmd": command, "HostConfig": {"NetworkMode": network}}
    return json.loads(connection.call("POST", "/containers/create", body))["Id"]


def timed(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def one_start(connection, network):
    ident = create(connection, network)
    took = timed(lambda: connection.call("POST", f"/containers/{ident}/start"))
    connection.call("DELETE", f"/containers/{ident}?force=1")
    return took


def one_life(connection, network):
    ident = create(connection, network, ["true"])
    connection.call("POST", f"/containers/{ident}/start")
    connection.call("POST", f"/containers/{ident}/wait")
    connection.call("DELETE", f"/containers/{ident}")


def one_exec(engine, connection, ident):
    """Until the stream has ended, on a connection of its own as clients do."""
    exec_id = json.loads(connection.call("POST", f"/containers/{ident}/exec", {"Cmd": ["true"], "AttachStdout": True}))["Id"]
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(60)
        stream.connect(str(engine.socket))
        body = b'{"Detach":false,"Tty":false}'
        stream.sendall(f"POST /exec/{exec_id}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nConnection: Upgrade\r\n"
                       f"Upgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        while stream.recv(4096):
            pass


def interleave(engines, rounds, one, slower_rounds=None):
    """Milliseconds of each engine's rounds, taken in turns; the slower engine may do fewer."""
    times = {engine.name: [] for engine in engines}
    every = max(1, rounds // (slower_rounds or rounds))
    for index in range(rounds):
        for engine in engines:
            if engine.name == "sampan" or index % every == 0:
                times[engine.name].append(one(engine))
    return times


def tell(what, times, goal=None):
    line = f"{what:<26}" + "".join(f"{name}: p50 {statistics.median(v):8.2f} ms, p99 {percentile(v, 0.99):8.2f}   " for name, v in times.items())
    if len(times) == 2:
        ours, theirs = (statistics.median(times[name]) for name in ("sampan", "dockerd"))
        line += f"{theirs / ours:6.1f} times as fast" + (f" (goal {goal})" if goal else "")
    print(line, flush=True)


class Bench:
    def __init__(self, engines, options):
        self.engines, self.options = engines, options
        self.rounds = 20 if options.quick else options.rounds
        self.connections = {engine.name: engine.connection() for engine in engines}

    def connection(self, engine):
        return self.connections[engine.name]

    def start(self, label="start"):
        for network, goal in (("none", 20), ("bridge", 15)):
            one = lambda engine: one_start(self.connection(engine), network)
            [one(engine) for engine in self.engines]
            tell(f"{label}, {network}", interleave(self.engines, self.rounds, one, max(5, self.rounds // 5)), goal)

    def busy(self):
        """The same with containers running: 500 of ours, fewer of the other's, which would take minutes."""
        crowd = {"sampan": 50 if self.options.quick else 500, "dockerd": 5 if self.options.quick else 50}
        idents = {}
        for engine in self.engines:
            connection = self.connection(engine)
            idents[engine.name] = [create(connection) for _ in range(crowd[engine.name])]
            for ident in idents[engine.name]:
                connection.call("POST", f"/containers/{ident}/start")
        self.start("start beside " + "/".join(str(crowd[engine.name]) for engine in self.engines))
        for engine in self.engines:
            for ident in idents[engine.name]:
                self.connection(engine).call("DELETE", f"/containers/{ident}?force=1")

    def exec(self):
        idents = {}
        for engine in self.engines:
            idents[engine.name] = create(self.connection(engine))
            self.connection(engine).call("POST", f"/containers/{idents[engine.name]}/start")
        one = lambda engine: timed(lambda: one_exec(engine, self.connection(engine), idents[engine.name]))
        [one(engine) for engine in self.engines]
        tell("exec", interleave(self.engines, self.rounds, one, max(5, self.rounds // 2)), 10)
        for engine in self.engines:
            self.connection(engine).call("DELETE", f"/containers/{idents[engine.name]}?force=1")

    def burst(self):
        """Lives a second of 32 clients at once: create, start, wait, remove."""
        rates = {}
        for engine in self.engines:
            each = 1 if engine.name == "dockerd" or self.options.quick else 8
            failures = []

            def client():
                try:
                    connection = engine.connection()
                    for _ in range(each):
                        one_life(connection, "none")
                except Exception as error:  # raised below, by the main thread
                    failures.append(error)

            threads = [threading.Thread(target=client) for _ in range(32)]
            took = timed(lambda: ([t.start() for t in threads], [t.join() for t in threads]))
            if failures:
                raise failures[0]
            rates[engine.name] = 32 * each / took * 1000
        line = "".join(f"{name}: {rate:7.1f} /s   " for name, rate in rates.items())
        ratio = f"{rates['sampan'] / rates['dockerd']:6.1f} times the throughput (goal 15)" if len(rates) == 2 else ""
        print(f"{'32 at once':<26}{line}{ratio}", flush=True)

    def stop(self):
        ours = {}

        def stop(engine):
            connection = self.connection(engine)
            ident = ours[engine.name] = create(connection)
            connection.call("POST", f"/containers/{ident}/start")
            return timed(lambda: connection.call("POST", f"/containers/{ident}/stop?t=0"))

        stops, removals = ({engine.name: [] for engine in self.engines} for _ in range(2))
        for index in range(self.rounds):
            for engine in self.engines:
                if engine.name == "sampan" or index % 5 == 0:
                    stops[engine.name].append(stop(engine))
                    removals[engine.name].append(timed(lambda: self.connection(engine).call("DELETE", f"/containers/{ours[engine.name]}")))
        tell("stop (SIGKILL)", stops)
        tell("rm", removals)


def measure_many(options):
    """`ps` of 1000 containers and the daemon's memory, in an engine of its own."""
    engine = Sampan().start()
    try:
        engine.import_busybox()
        connection = engine.connection()
        empty = resident_kb(engine.engine_pid())
        counts, made = ((20, 100) if options.quick else (100, 1000)), 0
        for count, goal in zip(counts, (25, 60)):
            while made < count:
                connection.call("POST", f"/containers/{create(connection)}/start")
                made += 1
            time.sleep(1)  # idle shims give memory back after half a second
            shims = sorted(private_kb(pid) for pid in shims_below(engine.home))
            print(f"{count} containers running: daemon {resident_kb(engine.engine_pid()) / 1024:.1f} MB (goal {goal}; empty {empty / 1024:.1f}), "
                  f"idle shim {statistics.median(shims):.0f} KB private, largest {shims[-1]} (goal 150)", flush=True)
        lists = [timed(lambda: connection.call("GET", "/containers/json")) for _ in range(50)]
        print(f"ps of {made}: p50 {statistics.median(lists):.2f} ms (goal 5), p99 {percentile(lists, 0.99):.2f}", flush=True)
    finally:
        engine.stop()


def measure_flat(options):
    """Many execs in one container: the daemon and the shim end as they began."""
    engine = Sampan().start()
    try:
        engine.import_busybox()
        connection = engine.connection()
        ident = create(connection)
        connection.call("POST", f"/containers/{ident}/start")

        def some(count):
            for _ in range(count):
                one_exec(engine, connection, ident)
            time.sleep(1)
            shim, = shims_below(engine.home)
            descriptors = len(list(pathlib.Path(f"/proc/{engine.engine_pid()}/fd").iterdir()))
            return resident_kb(engine.engine_pid()), private_kb(shim), descriptors

        total = 300 if options.quick else options.execs
        warm = some(max(100, total // 10))
        for part in range(4):
            after = some(total // 4)
            print(f"after {(part + 1) * (total // 4)} execs more: daemon {warm[0] / 1024:.1f} -> {after[0] / 1024:.1f} MB, "
                  f"shim {warm[1]} -> {after[1]} KB private, descriptors {warm[2]} -> {after[2]}", flush=True)
    finally:
        engine.stop()


def compare(parts, options):
    engines = [Sampan()]
    if Dockerd.find() and not options.alone:
        engines.append(Dockerd())
    else:
        print("without dockerd: only our own figures")
    try:
        for engine in engines:
            engine.start()
            engine.import_busybox()
        bench = Bench(engines, options)
        for part in parts:
            getattr(bench, part)()
    finally:
        for engine in engines:
            engine.stop()


def main():
    parts = {"start", "busy", "exec", "burst", "stop"}
    alone = {"memory": measure_many, "flat": measure_flat}
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--execs", type=int, default=5000, help="of the last part; 100000 is what is promised")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without dockerd")
    parser.add_argument("--only", nargs="+", choices=[*sorted(parts), *alone])
    options = parser.parse_args()
    chosen = options.only or ["start", "exec", "burst", "stop", "busy", *alone]
    print(machine())
    compared = [part for part in chosen if part in parts]
    if compared:
        compare(compared, options)
    for part in chosen:
        if part in alone:
            alone[part](options)


if __name__ == "__main__":
    main()
