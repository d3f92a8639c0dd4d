"""POST /build through the classic clients."""
import io
import json
import re
import tarfile

import pytest

TALK = """FROM node:7
COPY ./app /app
WORKDIR /app
RUN npm install
EXPOSE 8000
CMD ["npm", "start"]
"""


def context(tmp_path, files, dockerfile):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "Dockerfile").write_text(dockerfile)
    return tmp_path


@pytest.fixture(params=["docker", "docker_new", "sampan"])
def cli(request, daemon):
    return getattr(daemon, request.param)


def test_the_talks_dockerfile(cli, tmp_path):
    """With a stand-in for node:7: its npm installs from the context and starts what package.json says."""
    base = tmp_path / "base"
    base.mkdir()
    context(base, {"npm": "#!/bin/sh\ncase $1 in install) mkdir node_modules; cp package.json node_modules/;; start) exec cat node_modules/package.json;; esac\n"},
            "FROM busybox\nCOPY npm /bin/npm\nRUN chmod 755 /bin/npm\n")
    cli("build", "-t", "node:7", base)
    work = tmp_path / "work"
    work.mkdir()
    out = cli("build", "-t", "talk", context(work, {"app/package.json": '{"name":"app"}\n'}, TALK))
    assert "Step 1/6 : FROM node:7" in out and "Step 6/6" in out
    assert re.search(r" ---> Running in [0-9a-f]{12}\n", out) and "Successfully tagged talk:latest" in out
    assert cli("run", "--rm", "talk") == '{"name":"app"}\n'
    image = json.loads(cli("inspect", "talk"))[0]
    assert image["Config"]["WorkingDir"] == "/app" and image["Config"]["Cmd"] == ["npm", "start"]
    assert "8000/tcp" in image["Config"]["ExposedPorts"]
    again = cli("build", "-t", "talk", work)
    assert again.count("Using cache") == 5 and "Running in" not in again
    (work / "app" / "package.json").write_text('{"name":"changed"}\n')
    third = cli("build", "-t", "talk", work)
    assert third.count("Using cache") == 0 and cli("run", "--rm", "talk") == '{"name":"changed"}\n'
    cli("rmi", "-f", "talk", "node:7")
    cli("image", "prune", "-f")


def test_instructions_reach_the_image(cli, tmp_path):
    dockerfile = """ARG BASE=busybox
FROM $BASE AS first
ARG WHO=nobody
ENV A=1 B="two words"
RUN echo "$WHO $A $B" > /out
FROM busybox
COPY --from=first /out /copied/
ADD archive.tar.gz /unpacked/
COPY --chown=user:extra a.txt b.txt /files/
COPY dir /dir
COPY --chmod=640 a.txt /mode
COPY <<DOC /doc
say "hello"
DOC
WORKDIR /srv
WORKDIR deeper
RUN pwd > /where; id -u > /who
USER 1000
LABEL one=1 two="2 3"
VOLUME /data
HEALTHCHECK --interval=5s CMD true
STOPSIGNAL SIGINT
ENTRYPOINT ["cat"]
CMD ["/out"]
"""
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("deep/inside")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"inner"))
    context(tmp_path, {"a.txt": "a", "b.txt": "b", "dir/x": "x", "dir/sub/y": "y"}, dockerfile)
    cli("build", "-t", "inst", "--build-arg", "WHO=me", "--label", "three=3", tmp_path)
    cat = lambda *paths: cli("run", "--rm", "inst", *paths)
    assert cat("/copied/out") == "me 1 two words\n"
    assert cat("/unpacked/deep/inside") == "inner"
    assert cat("/files/a.txt", "/files/b.txt", "/dir/x", "/dir/sub/y") == "abxy"
    assert cat("/where", "/who") == "/srv/deeper\n0\n"
    assert cli("run", "--rm", "--entrypoint", "stat", "inst", "-c", "%u:%g", "/files/a.txt").strip() == "1000:2000"
    assert cli("run", "--rm", "--entrypoint", "stat", "inst", "-c", "%a", "/mode").strip() == "640"
    assert cat("/doc") == 'say "hello"\n'
    config = json.loads(cli("inspect", "inst"))[0]["Config"]
    assert config["User"] == "1000" and config["Labels"] == {"one": "1", "two": "2 3", "three": "3"}
    assert config["Volumes"] == {"/data": {}} and config["StopSignal"] == "SIGINT"
    assert config["Healthcheck"]["Interval"] == 5_000_000_000
    cli("rmi", "-f", "inst")
    cli("image", "prune", "-f")


def test_dockerignore(cli, tmp_path):
    context(tmp_path, {"keep.txt": "k", "drop.log": "d", "deep/drop.log": "d", "deep/keep.log": "k", ".dockerignore": "**/*.log\n!deep/keep.log\n"},
            "FROM busybox\nCOPY . /all\n")
    cli("build", "-t", "ign", tmp_path)
    found = cli("run", "--rm", "ign", "sh", "-c", "cd /all; find . -type f | sort").split()
    assert "./keep.txt" in found and "./deep/keep.log" in found
    assert "./drop.log" not in found and "./deep/drop.log" not in found
    cli("rmi", "-f", "ign")


def test_target_and_no_cache(cli, tmp_path):
    context(tmp_path, {}, "FROM busybox AS one\nRUN echo 1 > /n\nFROM one AS two\nRUN echo 2 > /n\n")
    cli("build", "-t", "tg", "--target", "one", tmp_path)
    assert cli("run", "--rm", "tg", "cat", "/n") == "1\n"
    assert "Using cache" not in cli("build", "--no-cache", "-t", "tg", tmp_path)
    assert cli("run", "--rm", "tg", "cat", "/n") == "2\n"
    missing = cli("build", "--target", "nine", tmp_path, check=False)
    assert missing.code == 1 and "nine" in missing.err
    cli("rmi", "-f", "tg")
    cli("image", "prune", "-f")


@pytest.mark.parametrize("dockerfile, words", [
    ("FROM busybox\nRUN exit 3\n", "returned a non-zero code: 3"),
    ("FROM busybox\nCOPY missing /x\n", "missing"),
    ("FROM busybox\nNONSENSE x\n", "unknown instruction: NONSENSE"),
    ("RUN x\n", "no build stage"),
    ("", "empty"),
    ("FROM no/such:image\n", "no/such"),
    ("FROM busybox\nCOPY --from=nowhere/img /x /y\n", "nowhere/img"),
    ("FROM busybox\nRUN --mount=type=cache,target=/x true\n", "--mount"),
    ("FROM busybox\nADD http://127.0.0.1:1/x /x\n", "remote"),
    ("FROM busybox\nCOPY ../../etc/passwd /x\n", "passwd"),
])
def test_mistakes_are_told_and_leave_nothing(daemon, tmp_path, dockerfile, words):
    out = daemon.docker("build", context(tmp_path, {}, dockerfile), check=False)
    assert out.code == 1 and words in out.err + out, out + out.err
    daemon.docker("image", "prune", "-f")


def test_layers_are_the_same_for_the_same_content(daemon, tmp_path):
    """Saved and loaded again, a built image keeps its id: its layers are re-packed to the very same bytes."""
    context(tmp_path, {"f": "x" * 10000}, "FROM busybox\nCOPY f /f\nRUN ln /f /hard; ln -s /f /soft; mkdir -m 700 /d; rm /bin/yes; chmod 4755 /bin/busybox\n")
    daemon.docker("build", "-t", "bytes", tmp_path)
    ident = daemon.docker("inspect", "-f", "{{.Id}}", "bytes")
    daemon.docker("save", "-o", tmp_path / "s.tar", "bytes")
    daemon.docker("rmi", "-f", "bytes")
    daemon.docker("load", "-i", tmp_path / "s.tar")
    assert daemon.docker("inspect", "-f", "{{.Id}}", "bytes") == ident
    out = daemon.docker("run", "--rm", "bytes", "sh", "-c", "stat -c '%h %a' /f; readlink /soft; ls /bin/yes 2>&1; stat -c %a /bin/busybox")
    assert out.split("\n")[:2] == ["2 644", "/f"] and "No such file" in out and "4755" in out
    daemon.docker("rmi", "-f", "bytes")
    daemon.docker("image", "prune", "-f")
