"""One OCI bundle to measure runtimes with."""
import json
import os
import pathlib
import shutil


def make_bundle(directory, args=("/bin/true",), memory=None):
    """Docker's default container around a static busybox: its spec is the one that our own golden test holds."""
    root = directory / "rootfs"
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    for tool in ("true", "sleep", "sh"):
        (root / "bin" / tool).symlink_to("busybox")
    golden = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
    spec = json.loads((golden / "spec" / "default" / "expected.json").read_text())
    spec["linux"]["seccomp"] = json.loads((golden / "seccomp" / "default" / "expected.json").read_text())
    spec["mounts"] = [m for m in spec["mounts"] if not m["source"].startswith("/c/")]
    spec["process"]["args"] = list(args)
    spec["process"].pop("rlimits", None)  # runc fails where a limit cannot be raised
    spec["linux"]["cgroupsPath"] = f"/bench-{os.getpid()}"
    spec["ociVersion"] = "1.0.2"
    if memory:
        spec["linux"].setdefault("resources", {}).setdefault("memory", {})["limit"] = memory
    (directory / "config.json").write_text(json.dumps(spec))
