"""Where our answers differ from the recorded dockerd's, and why: (steps, members, reason), both regular expressions that
match the whole name. A row that no difference needs any more fails the test, so that the table stays true."""

NEWER = "the words of newer Dockers (25 to 28), whose API versions are served"
BAD_REQUEST = "a bad request is 400 and said in our words; the recorded dockerd calls it its own failure (500) in Go's"
SOONER = "refused when it is asked for; dockerd lets the container be made, and its start or the option itself fails"
HIJACK = "errors are answers with a status, as in newer Dockers, not text in a hijacked stream"
HOST = "a fact of the build or of the host"

DIFFERENCES = [
    # --- single answers
    (r"create: volume driver", r".*", "400: clients answer 404 by pulling the image"),
    (r"create: log driver", r".*", "501 for a driver that is not there"),
    (r"archive put read-only", r".*", "403, as the API's description says"),
    # --- words and codes of newer versions
    (r"create: (no body|broken json|wrong type|array)|(exec|create): .*|exec (no body|bad json|bad keys)|list bad limit|resize bad|"
     r"(re)?start bad time|restart bad time|stop bad time|events bad .*|filter .*|prune bad .*|archive (get|head|put) .*|archive .*without path|"
     r"commit .*|logs .*", r"body\.message|status", BAD_REQUEST),
    (r"events bad filter", r"body", BAD_REQUEST),
    (r"remove link", r"status", "409: nothing in the engine failed"),
    (r"(top|pause|unpause|exec|kill|remove|rename|update|resize|start|missing|inspect bad|stats|wait|archive).*", r"body\.message|body\.State\.Error", NEWER),
    (r"top .*--nonsense|start bad user", r"status", BAD_REQUEST),
    (r"unpause .*", r"status", "409: nothing in the engine failed"),
    (r"disconnect again", r"status", "403, as the API's description says"),
    (r"wait bad condition", r".*", NEWER),
    (r"attach (paused|bad keys|upgrade|without upgrade)|missing POST attach.*|exec start twice|websocket without upgrade", r"body|status|type|ostype|docker-experimental",
     HIJACK),
    (r"exec start .*", r"body(\[\d\]\[\d\])?", "the same failure in our runtime's words"),
    (r"exec inspect after missing program", r"body\.ExitCode", "127 for a program that is not there, as newer Dockers and shells have it"),
    (r"exec (start|inspect after) env", r".*", "a privileged exec works here without capabilities that the host does not have"),
    (r"exec resize ended", r".*", "409: the exec is known, and has ended"),
    (r"logs .*", r"type", "newer Dockers name the type of a stream"),
    (r"(create|list|df|inspect|events).*", r".*NetworkMode", "\"default\" is shown as the network that it is, since 26"),
    (r"ping.*", r"builder-version|swarm", NEWER),
    (r"unknown path|wrong method|version too .*", r".*", "every answer is JSON and has the same headers; the range of versions is ours"),
    (r"version .*|info .*", r"body\..*(BuildTime|GitCommit|GoVersion|Platform\.Name|Commit\.(ID|Expected)|Runtimes.*|LiveRestoreEnabled)", HOST),
    (r"auth without body", r".*", "there is no registry to ask; credentials are looked at first"),
    # --- create
    (r"create: (hostname too long|volume root|seccomp|sysctl|ulimit|pid mode|ipc mode|uts mode|userns mode|log size|log file|blkio weight|device request|"
     r"cgroup|trailing bytes)", r".*", SOONER),
    (r"create: cpu count", r"body\.Warnings.*", "dockerd says nothing of what has no effect"),
    # --- what inspect shows
    (r"inspect .*", r"body\.State\.Sampan", "why it ended, beyond Docker"),
    (r"inspect .*", r"body\.GraphDriver\.Data\..*", "no init layer; the merged directory is the container's own root"),
    (r"inspect .*", r"body\.HostConfig\.(MaskedPaths|ReadonlyPaths)", "the longer list of newer versions"),
    (r"inspect .*", r"body\.HostConfig\.PortBindings", "{} rather than null: clients iterate over it"),
    (r"inspect .*", r"body\.HostConfig\.(RestartPolicy\.Name|Runtime)", "defaults are shown as they are from the beginning"),
    (r"inspect .*", r"body\.(HostnamePath|HostsPath|LogPath|ResolvConfPath)", "the paths do not change between create and start"),
    (r"inspect .*", r"body\.NetworkSettings\.Sandbox(ID|Key)", "a sandbox lives as long as its container runs"),
    (r"(inspect|list) .*", r".*Networks\.none\..*", "nothing is connected to \"none\""),
    (r"(inspect|list|df).*", r".*\.Ports.*", "the recorded dockerd has no firewall, and publishes nothing"),
    (r"inspect .*", r"body\.Mounts.*", "volumes have their path from the beginning"),
    (r"(list|df).*", r".*Mounts.*", "volumes have their path from the beginning"),
    (r"df.*", r"body\.Volumes.*", "anonymous volumes carry the label of newer versions; directories count"),
    (r"network of full", r"body\.(IPAM|Options).*", "our bridge has a name of its own, an address and masquerading"),
    (r"filter expose.*", r"body", "what a container exposes counts also without a network"),
    # --- processes
    (r"top .*", r"body\.Processes.*", "the process's number"),
    (r"top \?ps_args=-o%20comm", r".*", "ours needs no PID column"),
    (r"stats .*|stats", r"body\.memory_stats\.stats\..*", "more counters than containerd reads"),
    (r"inspect committed.*|commit", r".*", "SHELL and STOPSIGNAL are instructions of commit, too; the configuration is the OCI's"),
    # --- files
    (r"archive (get|head) /d/l", r"stat\.linkTarget", "as the link says; clients resolve it"),
    # --- events
    (r"events( by .*)?", r"body.*", "see test_events_are_those_of_the_recording"),
]
