"""What logging costs: the rate at which a container's lines reach its json-file log, the rate at which they are read
back, and what a short tail of a long log takes. The same work on Debian's dockerd in the same run.

  ./dev bench logs [--lines N] [--long MEGABYTES]
"""
import argparse
import json
import time

from engines import engines, machine, percentile

LINE = "2026-01-01 12:00:00 INFO request served path=/index.html status=200 bytes=5120 took=3ms"


def container(connection, command, options, binds=()):
    body = {"Image": "bench:latest", "Cmd": ["/bin/busybox", "sh", "-c", command],
            "HostConfig": {"NetworkMode": "none", "Binds": list(binds), "LogConfig": {"Type": "json-file", "Config": options}}}
    return json.loads(connection.call("POST", "/containers/create", body))["Id"]


def run_to_end(connection, identity):
    begin = time.perf_counter()
    connection.call("POST", f"/containers/{identity}/start")
    connection.call("POST", f"/containers/{identity}/wait")
    return time.perf_counter() - begin


def read(connection, identity, query):
    begin = time.perf_counter()
    connection.request("GET", f"/containers/{identity}/logs?stdout=1&{query}")
    answer = connection.getresponse()
    size = 0
    while chunk := answer.read(1 << 20):
        size += len(chunk)
    return time.perf_counter() - begin, size


def measure(engine, lines, long_megabytes):
    connection = engine.connection()
    unlimited = {"max-size": "100g", "max-file": "1"}
    # A file that is only copied out: what is measured is the engine, with the start and the end of a container.
    (engine.home / "lines").write_text((LINE + "\n") * lines)
    written = float("inf")
    for _ in range(3):
        talker = container(connection, "exec busybox cat /lines", unlimited, [f"{engine.home}/lines:/lines:ro"])
        written = min(written, run_to_end(connection, talker))
    megabytes = lines * (len(LINE) + 1) / 1e6
    took, size = min(read(connection, talker, "") for _ in range(3))
    if size != lines * (len(LINE) + 9):
        raise RuntimeError(f"{engine.name}: {size} bytes read back of {lines} lines")
    connection.call("DELETE", f"/containers/{talker}?force=1")
    long = container(connection, f"busybox yes '{LINE}' | busybox head -n {int(long_megabytes * 1e6 / 180)}", unlimited)
    run_to_end(connection, long)
    tails = [read(connection, long, "tail=10")[0] * 1000 for _ in range(20)]
    since = [read(connection, long, f"since={time.time() + 3600:.0f}")[0] * 1000 for _ in range(3)]
    connection.call("DELETE", f"/containers/{long}?force=1")
    return {"write MB/s": megabytes / written, "read MB/s": megabytes / took,
            "tail ms": percentile(tails, 0.5), "since ms": min(since)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--long", type=float, default=1000, help="megabytes of the log that is tailed")
    options = arguments.parse_args()
    print(machine())
    figures = {}
    for engine in engines():
        engine.start()
        try:
            engine.import_busybox()
            figures[engine.name] = measure(engine, options.lines, options.long)
        finally:
            engine.stop()
        print(engine.name, {key: round(value, 1) for key, value in figures[engine.name].items()}, flush=True)
    if "dockerd" in figures:
        ours, theirs = figures["sampan"], figures["dockerd"]
        for key in ("write MB/s", "read MB/s"):
            print(f"{key}: {ours[key] / theirs[key]:.1f} times dockerd's rate")


if __name__ == "__main__":
    main()
