"""run -it, exec -it and attach with a real pseudo-terminal under the client."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

from support import BIN, DOCKER_DEBIAN, wait_for


class Terminal:
    def __init__(self, argv, rows=33, columns=77):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([str(a) for a in argv], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.text = ""

    def send(self, text):
        os.write(self.master, text.encode())

    def expect(self, words, seconds=10):
        deadline = time.monotonic() + seconds
        while words not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {words!r} in {self.text!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended without {words!r}: {self.text!r}")
            self.text += data.decode(errors="replace")
        self.text = self.text.split(words, 1)[1]

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.process.pid, 28)

    def follows(self, rows, columns, words, seconds=10):
        """The words come once the program knows the size. Docker's client can lose a change that it is told of while it
        is busy starting: it is told until then."""
        end = time.monotonic() + seconds
        while True:
            self.resize(rows, columns)
            try:
                return self.expect(words, 0.5)
            except AssertionError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise

    def wait(self, seconds=10):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready:
                try:
                    os.read(self.master, 4096)
                except OSError:
                    pass
        code = self.process.poll()
        if code is None:
            self.process.kill()
        os.close(self.master)
        return code


@pytest.fixture(params=["docker", "sampan"])
def client(request, daemon):
    program = DOCKER_DEBIAN if request.param == "docker" else BIN / "sampan"
    return lambda *args: Terminal([program, "-H", daemon.host, *args])


def shows(t, command, words):
    """Types the command until its answer has the words: a window's size arrives a moment after the process starts."""
    def once():
        t.send(command + "\n")
        try:
            t.expect(words, 0.5)
            return True
        except AssertionError:
            return False
    return wait_for(once, 5)


def test_run_it(client):
    t = client("run", "--rm", "-it", "busybox", "sh")
    t.expect("# ")  # before the prompt the client's own terminal still echoes what is typed
    assert shows(t, "stty size", "33 77")
    t.send("tty\n")
    t.expect("/dev/pts/0")
    t.resize(20, 50)
    assert shows(t, "stty size", "20 50")
    t.send("exit 5\n")
    assert t.wait() == 5


def test_exec_it_and_ctrl_c(client, docker):
    docker("run", "-d", "--name", "tt", "busybox", "sleep", "1000")
    t = client("exec", "-it", "tt", "sh")
    t.expect("# ")
    t.send("echo in$((1+1))\n")
    t.expect("in2")
    t.send("sleep 1000\n")
    time.sleep(0.2)
    t.send("\x03")
    t.send("echo after$((2+2))\n")
    t.expect("after4")
    t.send("exit 6\n")
    assert t.wait() == 6
    docker("rm", "-f", "tt")


def test_detach_keys_leave_it_running(client, daemon, docker):
    t = client("run", "-it", "--name", "det", "busybox", "sh")
    t.expect("# ")
    t.send("echo in$((1+1))\n")
    t.expect("in2\r\n")
    t.send("\x10\x11")
    assert t.wait() == 0
    assert daemon.inspect("det")["State"]["Running"]
    t = client("attach", "det")
    t.send("echo again$((1+1))\n")
    t.expect("again2\r\n")
    t.send("exit 0\n")
    assert t.wait() == 0
    docker("rm", "det")


def test_ctrl_c_of_a_plain_run_stops_the_container(client, daemon, docker):
    t = client("run", "--name", "sig", "busybox", "sh", "-c", "trap 'echo caught; exit 9' INT; echo ready; while :; do usleep 10000; done")
    t.expect("ready")
    os.killpg(t.process.pid, 2)
    t.expect("caught")
    assert t.wait() == 9
    docker("rm", "sig")
