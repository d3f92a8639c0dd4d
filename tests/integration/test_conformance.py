"""The golden suite of the OCI runtime: tests/conformance/README.md says what a case is.

Every case runs on runc, which must show the recorded facts (or they are not facts), and on sampan-runtime.
SAMPAN_GOLDEN_ACCEPT=1 records anew: from runc, from sampan-runtime where the case says that runc cannot.
"""
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile

import pytest

from support import BUILD

ROOT = pathlib.Path(__file__).resolve().parent.parent / "conformance"
CASES = sorted(path.name for path in (ROOT / "cases").iterdir())
FACTS = BUILD / "tests" / "facts"
PROGRAMS = {"runc": shutil.which("runc"), "sampan-runtime": str(BUILD / "bin" / "sampan-runtime"),
            "old kernel": str(BUILD / "tests" / "sampan-runtime.old")}  # tests/fault/old_kernel.c: the newer system calls are missing
CGROUPS = pathlib.Path("/sys/fs/cgroup")
VERSION = "v2" if (CGROUPS / "cgroup.controllers").exists() else "v1"
ACCEPT = os.environ.get("SAMPAN_GOLDEN_ACCEPT") == "1"
NAMESPACES = {"mnt": "mount", "net": "network"}


def merged(base, patch):
    """JSON merge patch, with one word more: "name+" appends to the list "name"."""
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if key.endswith("+"):
            out[key[:-1]] = out.get(key[:-1], []) + value
        elif value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def load(path, default=None):
    return json.loads(path.read_text()) if path.exists() else default


def controllers():
    """The controllers that containers can be given here."""
    if VERSION == "v2":
        return (CGROUPS / "cgroup.controllers").read_text().split()
    mounted = [line.split()[-1] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup " in line]
    return {word for options in mounted for word in options.split(",")}


class Case:
    def __init__(self, name):
        self.directory = ROOT / "cases" / name
        self.about = load(self.directory / "case.json", {})
        self.files = [self.directory / "facts.json", self.directory / f"facts.{VERSION}.json"]
        self.ask = [self.about.get("ask", []), self.about.get(f"ask.{VERSION}", [])]

    def missing(self):
        """Why the case cannot run on this host, or nothing."""
        if self.about.get("cgroup", VERSION) != VERSION:
            return f"for control groups {self.about['cgroup']}"
        for need in self.about.get("needs", []):
            if need.startswith("/"):
                if not os.path.exists(need):
                    return f"this kernel has no {need}"
            elif need not in controllers():
                return f"no {need} controller here"
        return None


class Bundle:
    """One container of one case in a folder that every user can reach."""

    def __init__(self, program, case, place):
        self.program, self.case, self.id = program, case, f"conf{os.getpid()}"
        self.home = pathlib.Path(tempfile.mkdtemp(dir=place))
        self.home.chmod(0o755)
        self.cgroup = f"/sampan-conf-{os.getpid()}"
        rootfs = self.home / "rootfs"
        for name in ("proc", "sys", "dev", "etc", "tmp", "mnt"):
            (rootfs / name).mkdir(parents=True)
        shutil.copy(FACTS, rootfs / "facts")
        if "before" in case.about:
            subprocess.run(["/bin/sh", "-ec", self.filled(case.about["before"])], check=True, timeout=10, cwd=self.home)

    def filled(self, text):
        return text.replace("@home@", str(self.home)).replace("@cgroup@", self.cgroup)

    def config(self, args):
        base = json.loads(self.filled((ROOT / "base.json").read_text()))
        patch = self.case.directory / "config.json"
        made = merged(base, json.loads(self.filled(patch.read_text())) if patch.exists() else {})
        made["process"]["args"] = made["process"]["args"] + args
        return made

    def run(self, command, *words, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL):
        with open(self.home / "errors", "w") as errors:  # not a pipe: the container would hold it open
            done = subprocess.run([self.program, "--root", str(self.home / "state"), *self.case.about.get("flags", []), command, *words],
                                  stdin=stdin, stdout=stdout, stderr=errors, timeout=20, umask=0o022)
        assert not check or done.returncode == 0, (self.home / "errors").read_text()
        return done.returncode

    def observed(self):
        ask = [word for words in self.case.ask for word in words]
        args = ["/facts", *ask]
        execs = "exec" in self.case.about or (self.case.directory / "exec.json").exists()
        config = self.config(["/facts", "hold"] if execs else args)
        (self.home / "config.json").write_text(json.dumps(config))
        if self.case.about.get("fails"):
            assert self.run("run", "--bundle", str(self.home), self.id, check=False) != 0, "it ran"
            return {"runs": False}
        if config["process"]["terminal"]:
            answer = self.on_terminal()
        elif execs:
            self.run("run", "--detach", "--bundle", str(self.home), self.id)
            answer = self.output("exec", *self.exec_words(config, args))
        else:
            answer = self.output("run", "--bundle", str(self.home), self.id)
        return self.normal(json.loads(answer, strict=False), config)

    def output(self, *words):
        with open(self.home / "out", "w+") as out:
            self.run(*words, stdout=out)
            out.seek(0)
            return out.read()

    def exec_words(self, config, args):
        patch = load(self.case.directory / "exec.json")
        if patch is None:
            return [*self.case.about["exec"], self.id, *args]
        process = {**merged(config["process"], patch), "args": args}
        (self.home / "process.json").write_text(json.dumps(process))
        return ["--process", str(self.home / "process.json"), self.id]

    def on_terminal(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.home / "console"))
            server.listen()
            self.run("create", "--console-socket", str(self.home / "console"), "--bundle", str(self.home), self.id)
            link, _ = server.accept()
            with link:
                _, (master,), *_ = socket.recv_fds(link, 4096, 1)
        self.run("start", self.id)
        data = b""
        while select.select([master], [], [], 5)[0]:
            try:
                data += os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if data.endswith(b"}\r\n"):
                break
        os.close(master)
        return data.decode()

    def finish(self):
        """Ends the container; the facts that only then are there."""
        self.run("delete", "--force", self.id, check=False)
        log = self.home / "rootfs/hooks"
        if not log.exists():
            return {}
        lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
        states = [(name, json.loads(state)) for name, state in lines]
        return {"hooks": in_order([[name, state["status"], state.get("pid", 0) > 0] for name, state in states]),
                "hook annotations": states[-1][1].get("annotations", {}), "hook ids": sorted({s["id"] == self.id for _, s in states}),
                "hook bundles": sorted({s["bundle"] == str(self.home) for _, s in states})}

    def close(self):
        for line in reversed(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
            if line.split()[4].startswith(str(self.home) + "/"):
                subprocess.run(["umount", "-l", line.split()[4]], check=False)
        shutil.rmtree(self.home)

    def normal(self, facts, config):
        """Without what differs from run to run: inode numbers, names of folders, the order of options."""
        text = json.dumps(facts).replace(str(self.home), "@home@").replace(self.cgroup, "@cgroup@").replace(self.id, "@id@")
        facts = json.loads(text)
        given = {n["type"]: os.stat(n["path"]).st_ino for n in config["linux"].get("namespaces", []) if os.path.exists(n.get("path", ""))}
        for name, value in facts.get("namespaces", {}).items():
            number = int(re.search(r"\[(\d+)\]", value).group(1)) if value else None
            host = os.stat(f"/proc/self/ns/{name}").st_ino
            path = given.get(NAMESPACES.get(name, name))
            facts["namespaces"][name] = "host" if number == host else "given" if number == path else "new"
        own = os.stat(self.home).st_dev  # of the mount that the bundles are on
        for key, value in facts.items():
            if key == "user":  # sampan-runtime lists the primary group too, so that a file's mode cannot shut out less (CVE-2022-36109)
                value["groups"] = sorted(set(value["groups"]) - {value["gids"][0]})
            if key == "devices":
                value.pop("core", None)  # for kernels with /proc/kcore only
            if key == "fds":  # what they are is the caller's affair
                facts[key] = sorted(value)
            if key.endswith("devices.list"):
                facts[key] = sorted(value.splitlines())
            if key == "mounts" or key.startswith(("mount:", "super:")):
                facts[key] = [mount_facts(one, own) for one in value]
        return facts


def in_order(hooks):
    """startContainer runs in the container, while the command that started it may already be at poststart."""
    names = [name for name, *_ in hooks]
    if "poststart" in names and "startContainer" in names:
        first, second = sorted((names.index("poststart"), names.index("startContainer")))
        assert second == first + 1, names
        hooks[first:second + 1] = sorted(hooks[first:second + 1], reverse=True)
    return [[name, "created or running" if name == "poststart" and status in ("created", "running") else status, pid]
            for name, status, pid in hooks]


def mount_facts(one, own):
    if one.pop("device") == f"{os.major(own)}:{os.minor(own)}":
        one["type"] = "the host's"
    one["options"] = sorted(one["options"].split(","))
    if "super" in one:
        one["super"] = sorted(set(one["super"].split(",")) - {"inode64"})
    return one


def check(case, facts):
    """Against the recorded ones, each in the file where it was asked."""
    common, versioned = ({k: v for k, v in facts.items() if (k in case.ask[1]) == second} for second in (False, True))
    for path, part in zip(case.files, (common, versioned)):
        if ACCEPT and part:
            path.write_text(json.dumps(part, indent=2, sort_keys=True) + "\n")
        if part:
            assert part == load(path), path


@pytest.fixture(scope="module")
def place():
    """A mount of its own for all bundles: whether the host's propagate is not a fact of the runtime."""
    path = tempfile.mkdtemp(prefix="sampan-conf-")
    os.chmod(path, 0o755)
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "--make-private", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)
    os.rmdir(path)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", CASES)
def test_case(name, program, place):
    case = Case(name)
    if not PROGRAMS[program]:
        pytest.skip("not installed")
    if program == "runc" and "runc" in case.about:
        pytest.skip(case.about["runc"])
    if case.missing():
        pytest.skip(case.missing())
    if program == "old kernel" and name == "mount_propagation_unbindable":
        pytest.skip("a copied mount namespace does not keep it: the bind is private there")
    if ACCEPT and program != ("sampan-runtime" if "runc" in case.about or not PROGRAMS["runc"] else "runc"):
        pytest.skip("the facts are recorded from the other program")
    refused = case.about.get("old kernel", "") if program == "old kernel" else ""
    bundle = Bundle(PROGRAMS[program], case, place)
    try:
        if refused:
            with pytest.raises(AssertionError, match=refused):
                bundle.observed()
            return
        try:
            facts = bundle.observed()
        finally:
            last = bundle.finish()
        if program == "old kernel" and facts.get("seccomp") == "2":  # one filter is the lane's own
            facts["seccomp"] = load(case.files[0])["seccomp"]
        check(case, {**facts, **last})
        assert not list(CGROUPS.glob(f"*{bundle.cgroup}"))
    finally:
        bundle.close()
