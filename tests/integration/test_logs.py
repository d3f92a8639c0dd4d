"""Log drivers through real clients: what is written comes back, rotated, compressed, from any place, and while it grows."""
import json

import pytest


@pytest.fixture(params=["docker", "sampan"])
def cli(request, daemon):
    return getattr(daemon, request.param)


def numbers(first, last):
    return "".join(f"{n}\n" for n in range(first, last + 1))


def count_to(cli, name, last, *options):
    cli("run", "--name", name, *options, "busybox", "sh", "-c", f"i=0; while [ $i -lt {last} ]; do i=$((i+1)); echo $i; done")


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_what_was_written_is_read_back(cli, driver):
    try:
        count_to(cli, "talk", 300, "--log-driver", driver)
        assert cli("logs", "talk") == numbers(1, 300)
        assert cli("logs", "--tail", "3", "talk") == numbers(298, 300)
        assert cli("logs", "--tail", "0", "talk") == ""
        assert cli("logs", "--since", "1h", "--tail", "1", "talk") == "300\n"
        assert cli("logs", "--until", "1h", "talk") == ""
        stamped = cli("logs", "-t", "--tail", "1", "talk").split(" ")
        assert stamped[0].startswith("20") and len(stamped[0]) == 30 and stamped[1] == "300\n"
        seen = json.loads(cli("inspect", "talk"))[0]
        assert seen["HostConfig"]["LogConfig"]["Type"] == driver
        assert seen["LogPath"].endswith("-json.log") if driver == "json-file" else seen["LogPath"] == ""
    finally:
        cli("rm", "-f", "talk", check=False)


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_rotated_and_compressed_files_are_one_log(cli, driver):
    try:
        options = ["--log-driver", driver, "--log-opt", "max-size=4k", "--log-opt", "max-file=20", "--log-opt", "compress=true"]
        count_to(cli, "turn", 400, *options)
        assert cli("logs", "turn") == numbers(1, 400)
        assert cli("logs", "--tail", "250", "turn") == numbers(151, 400)
    finally:
        cli("rm", "-f", "turn", check=False)


def test_details_are_the_attributes_that_were_asked_for(cli):
    try:
        for driver in ("json-file", "local"):
            cli("run", "--name", "told", "--log-driver", driver, "--label", "team=blue", "-e", "STAGE=prod", "--log-opt", "labels=team",
                "--log-opt", "env-regex=^STA", "--log-opt", "tag={{.Name}}", "busybox", "echo", "hi")
            assert cli("logs", "--details", "told") == "STAGE=prod,tag=told,team=blue hi\n"
            cli("rm", "told")
    finally:
        cli("rm", "-f", "told", check=False)


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_line_longer_than_16_kib_comes_back_whole(cli, driver):
    try:
        cli("run", "--name", "wide", "--log-driver", driver, "busybox", "sh", "-c", "head -c 50000 /dev/zero | tr '\\0' x; echo; echo end")
        assert cli("logs", "wide") == "x" * 50000 + "\nend\n"
    finally:
        cli("rm", "-f", "wide", check=False)


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_follower_sees_all_lines_over_rotations(cli, driver):
    try:
        cli("run", "-d", "--name", "follow", "--log-driver", driver, "--log-opt", "max-size=8k", "--log-opt", "max-file=30", "busybox", "sh", "-c",
            "i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo $i; [ $((i % 200)) = 0 ] && sleep 0.2; done; true")
        assert cli("logs", "-f", "follow") == numbers(1, 600)
    finally:
        cli("rm", "-f", "follow", check=False)


def test_unknown_drivers_and_options_are_refused_by_name(cli):
    for options, text in [
            (["--log-driver", "splunk9"], "no log driver named 'splunk9' is registered"),
            (["--log-driver", "local", "--log-opt", "nope=1"], "unknown log opt 'nope' for log driver local"),
            (["--log-opt", "nope=1"], "unknown log opt 'nope' for json-file log driver"),
            (["--log-opt", "mode=lazy"], "logging mode not supported: lazy"),
            (["--log-opt", "max-buffer-size=1m"], "only supported with 'mode=non-blocking'")]:
        refused = cli("create", *options, "busybox", "true", check=False)
        assert refused.code == 1 and text in refused.err


def test_the_drivers_are_listed(cli):
    assert json.loads(cli("info", "--format", "{{json .Plugins.Log}}")) == ["fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"]
