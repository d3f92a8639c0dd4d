"""Fixtures: a private daemon, three real clients, a registry, and the leak census around every test."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import support
from support import BUILD, Daemon, Registry, census, census_difference


@pytest.fixture(scope="session")
def scratch():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sampan-itest-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def rootfs_tar(scratch):
    """A root filesystem of busybox-static with its applets, as a tar."""
    return support.make_busybox_tar(scratch / "busybox.tar")


@pytest.fixture(scope="session")
def shared_daemon(scratch, rootfs_tar):
    daemon = Daemon(scratch / "d")
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon
    daemon.stop()
    daemon.cleanup()


@pytest.fixture
def daemon(shared_daemon):
    """The session's daemon with busybox:latest in it; every test leaves it as it found it."""
    shared_daemon.ensure_running()
    before = census(shared_daemon)
    yield shared_daemon
    shared_daemon.ensure_running()
    difference = support.wait_for(lambda: not census_difference(before, census(shared_daemon)), 10) or \
        census_difference(before, census(shared_daemon))
    if difference is not True:
        support.sweep(shared_daemon)
        pytest.fail(f"left behind: {difference}")


@pytest.fixture
def own_daemon(scratch, rootfs_tar):
    """A daemon of the test's own, to be killed and restarted at will."""
    daemon = Daemon(pathlib.Path(tempfile.mkdtemp(dir=scratch, prefix="o")))
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon
    daemon.ensure_running()
    support.sweep(daemon)
    daemon.end()


@pytest.fixture(scope="session")
def registry(scratch):
    registry = Registry(scratch / "registry")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture
def docker(daemon):
    return daemon.docker


@pytest.fixture
def sampan(daemon):
    return daemon.sampan


@pytest.fixture
def sdk(daemon):
    import docker as docker_sdk
    client = docker_sdk.DockerClient(base_url=f"unix://{daemon.socket}", timeout=30)
    yield client
    client.close()
