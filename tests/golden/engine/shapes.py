"""Answers as they can be compared: what differs from run to run (ids, times, addresses, paths) becomes a word that says
what it was; everything else stays exactly as it came, with null, [] and {} told apart."""
import base64
import json
import re
import tarfile
import io

ZERO_TIME = "0001-01-01T00:00:00Z"
PATTERNS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"[0-9a-f]{64}"), "<id>"),
    (re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"), "<mac>"),
    (re.compile(r"\b172\.\d+\.\d+\.\d+\b|\b10\.\d+\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])"), "<short id>"),
    (re.compile(r"\b(Up|Exited \(\d+\)) (?:Less than a second|\d+ seconds?)"), r"\1 <duration>"),
]
# Members whose numbers are facts of the moment: zero or not is what counts.
COUNTED = {"Pid", "Created", "time", "timeNano", "SizeRw", "SizeRootFs", "LayersSize", "Size", "SharedSize", "VirtualSize", "UniqueSize",
           "SpaceReclaimed", "size", "mtime", "BuilderSize", "execDuration"}
# Lists without an order of their own.
UNORDERED = {"Mounts": lambda mount: mount.get("Destination", mount.get("Target", "")), "Volumes": lambda volume: volume["Name"]}
# Members of answers that describe the host or the build: only kind and presence are compared.
HOST_PATHS = re.compile(r"^(info|version|stats)\b")


def scrub(text, home):
    if text == ZERO_TIME:
        return text
    if home:
        text = text.replace(str(home), "<home>")
    for pattern, word in PATTERNS:
        text = pattern.sub(word, text)
    return re.sub(r"(<home>|/proc/\d+)/[^:\"']*", "<path>", text)


def kind(value):
    """The form alone, for facts of the host."""
    if isinstance(value, dict):
        return {key: kind(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [kind(value[0])] if value else []
    if isinstance(value, str):
        return "<text>" if value else ""
    return value if value is None or isinstance(value, bool) else "<number>"


def normalise(value, home, name=""):
    if isinstance(value, dict):
        out = {scrub(key, home): normalise(item, home, key) for key, item in sorted(value.items())}
        for key, order in UNORDERED.items():
            if isinstance(out.get(key), list):
                out[key] = sorted(out[key], key=order)
        return out
    if isinstance(value, list):
        items = [normalise(item, home, name) for item in value]
        # The changes of a filesystem come in the order of its directories.
        return sorted(items, key=lambda item: item["Path"]) if items and isinstance(items[0], dict) and "Kind" in items[0] else items
    if isinstance(value, str):
        return scrub(value, home)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and name in COUNTED:
        return "<number>" if value else 0
    return value


def frames(data):
    """A multiplexed stream as [stream, text] pairs; all of one stream is one."""
    out = {}
    while len(data) >= 8:
        stream, length = data[0], int.from_bytes(data[4:8], "big")
        text = data[8:8 + length].decode(errors="replace")
        out[stream] = out.get(stream, "") + text
        data = data[8 + length:]
    rest = [["rest", data.decode(errors="replace")]] if data else []
    return [[stream, out[stream]] for stream in sorted(out)] + rest


def tar_members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return sorted([m.name, m.type.decode(), oct(m.mode & 0o7777), m.linkname] for m in tar)


def json_values(data):
    """One value, or the list of a stream's values."""
    decoder, text, out = json.JSONDecoder(), data.decode(), []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        out.append(value)
    return out[0] if len(out) == 1 else {"stream": out}


def body_of(data, content_type, raw):
    if raw == "frames" and not content_type.startswith("application/json"):
        return frames(data)
    if raw == "tar" and content_type.startswith(("application/x-tar", "application/octet-stream")):
        return tar_members(data)
    if content_type.startswith("application/json"):
        return json_values(data) if data.strip() else "<empty>"
    return data.decode(errors="replace")


def answer(step, status, headers, data, home, raw=None):
    """What is recorded of one answer."""
    headers = {key.lower(): value for key, value in headers.items()}
    out = {"status": status}
    content_type = headers.get("content-type", "")
    if content_type:
        out["type"] = content_type
    stat = headers.get("x-docker-container-path-stat")
    if stat:
        out["stat"] = normalise(json.loads(base64.b64decode(stat)), home)
    for header in ("cache-control", "pragma", "ostype", "docker-experimental", "builder-version", "swarm", "upgrade", "connection"):
        if header in headers and not (header == "connection" and status != 101):
            out[header] = headers[header]
    if data:
        value = body_of(data, content_type, raw)
        out["body"] = kind(value) if HOST_PATHS.match(step) else normalise(value, home)
        if HOST_PATHS.match(step) and status >= 400:
            out["body"] = normalise(value, home)
    return out


def differences(expected, actual, path=""):
    """(path, expected, actual) wherever the two differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            where = f"{path}.{key}" if path else key
            if key not in actual:
                yield where, expected[key], "<absent>"
            elif key not in expected:
                yield where, "<absent>", actual[key]
            else:
                yield from differences(expected[key], actual[key], where)
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual)):
            yield from differences(one, other, f"{path}[{index}]")
    elif expected != actual:
        yield path, expected, actual
