#!/usr/bin/python3
"""Records what Debian's dockerd answers to the script, one file for each group of endpoints: `./dev golden engine`.

Needs root and a network namespace of its own."""
import json
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "integration")]

import foreign  # noqa: E402
import script  # noqa: E402
import support  # noqa: E402


class Reference(foreign.Dockerd):
    """dockerd as Debian ships it, with runc."""

    def start(self):
        self.launch([foreign.DOCKERD / "sbin/dockerd", "-H", f"unix://{self.home}/s.sock", "--data-root", self.home / "data",
                     "--exec-root", self.home / "run", "--pidfile", self.home / "pid", "--storage-driver", "overlay2", "--iptables=false",
                     "--ip6tables=false", "--cgroup-parent", self.cgroup], lambda: self("version", check=False))
        self("import", "--change", 'CMD ["sh"]', "--change", "ENV PATH=/bin", self.rootfs_tar, "busybox:latest")
        return self


def main(groups):
    with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
        engine = Reference(support.make_busybox_tar(pathlib.Path(scratch) / "busybox.tar"))
        try:
            engine.start()
            talk = script.Conversation(engine.home / "s.sock", engine.home)
            for group in groups or talk.GROUPS:
                answers = talk.run(group)
                (HERE / f"{group}.json").write_text("{\n" + ",\n".join(
                    f"{json.dumps(name)}: {json.dumps(answer, sort_keys=True)}" for name, answer in answers.items()) + "\n}\n")
                print(f"{group}: {len(answers)} answers")
        finally:
            for line in engine.stop():
                print("left behind:", line, file=sys.stderr)


main(sys.argv[1:])
