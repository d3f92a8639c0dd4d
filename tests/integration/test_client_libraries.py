"""Clients that nobody wrote for this engine: dockerode, and docker-compose 1.29, which drives python3-docker."""
import json
import os
import pathlib
import re
import shutil

import pytest

from support import ROOT, run

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
DOCKERODE = ROOT / "build" / "tools" / "dockerode"
SCENARIOS = re.findall(r"^  async (\w+)\(\)", (CLIENTS / "dockerode.js").read_text(), re.M)


@pytest.mark.skipif(not (DOCKERODE / "node_modules").exists(), reason="dockerode could not be fetched (./dev itest fetches it)")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_dockerode_does_its_ordinary_work(daemon, scenario):
    run(["node", CLIENTS / "dockerode.js", daemon.socket, DOCKERODE, scenario])


COMPOSE_FILE = """
version: "2.4"
services:
  web:
    image: busybox
    command: sh -c "cp /shared/index.html /tmp/ 2>/dev/null || echo from-web > /tmp/index.html; echo serving; exec httpd -f -p 80 -h /tmp"
    ports: ["127.0.0.1::80"]
    volumes: ["shared:/shared"]
    networks: [inner]
    environment: {COLOUR: green}
    healthcheck: {test: ["CMD", "true"], interval: 1s}
    stop_grace_period: 0s
  worker:
    image: busybox
    command: sh -c "echo working; exec sleep 1000"
    depends_on: [web]
    volumes: ["shared:/shared:ro"]
    networks: {inner: {aliases: [hand]}}
    stop_grace_period: 0s
volumes:
  shared: {}
networks:
  inner: {}
"""


def has_compose_1():
    return shutil.which("docker-compose") and "version 1." in run(["docker-compose", "--version"], check=False)


@pytest.mark.skipif(not has_compose_1(), reason="this distribution has no docker-compose 1.29 any more")
def test_compose_1_29_brings_two_services_up_and_down(daemon, tmp_path):
    (tmp_path / "docker-compose.yml").write_text(COMPOSE_FILE)

    def compose(*words, **options):
        return run(["docker-compose", "--project-name", "cmp", "--ansi", "never", *words], cwd=tmp_path,
                   env={"DOCKER_HOST": daemon.host, "COMPOSE_HTTP_TIMEOUT": "60"}, **options)

    try:
        compose("up", "-d")
        rows = compose("ps").splitlines()
        assert len([row for row in rows if re.match(r"cmp_(web|worker)_1 .* Up", row)]) == 2, rows
        assert re.search(r"127\.0\.0\.1:\d+->80/tcp", "\n".join(rows))
        assert "serving" in compose("logs", "web") and "working" in compose("logs", "--no-color", "worker")
        assert compose("exec", "-T", "web", "sh", "-c", "echo $COLOUR; echo page > /shared/f").strip() == "green"
        assert compose("exec", "-T", "worker", "cat", "/shared/f") == "page\n"
        assert "from-web" in compose("exec", "-T", "worker", "wget", "-q", "-O", "-", "http://web/index.html")
        assert compose("exec", "-T", "worker", "sh", "-c", "exit 7", check=False).code == 7
        assert compose("port", "web", "80").strip().startswith("127.0.0.1:")
        assert compose("up", "-d").err.count("is up-to-date") == 2, "nothing that is as asked is made anew"
        compose("up", "-d", "--scale", "worker=3")
        assert len(compose("ps", "-q", "worker").split()) == 3
        compose("restart", "-t", "0", "worker")
        compose("pause", "web")
        assert "Paused" in compose("ps")
        compose("unpause", "web")
        assert "httpd" in compose("top", "web")
        compose("stop", "-t", "0")
        compose("start")
        assert compose("run", "--rm", "-T", "--no-deps", "worker", "echo", "one-off") == "one-off\n"
    finally:
        compose("down", "-v", "-t", "0")
    assert daemon.json("GET", "/containers/json?all=1") == []
    assert not [row for row in daemon.json("GET", "/volumes")["Volumes"] or [] if row["Name"].startswith("cmp")]
    assert not [row for row in daemon.json("GET", "/networks") if row["Name"].startswith("cmp")]
