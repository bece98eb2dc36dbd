#!/usr/bin/env python3
"""The probe application of the gateway conformance kit, as a CGI program (RFC 3875).

Let a server run it for a prefix of your choice, and judge that: `gateway conformance --url http://HOST:PORT/PREFIX`. It
needs nothing but Python 3.8 or later. What requests tell each other goes through files below the temporary folder. Each
function below is a URL; its parameters are in the query.
"""

import os
import signal
import sys
import tempfile
import time
from urllib.parse import parse_qsl, quote_from_bytes

QUERY = parse_qsl(os.environ.get("QUERY_STRING", ""), keep_blank_values=True, encoding="latin-1")
FOLDER = os.path.join(tempfile.gettempdir(), "gateway-probe-%d" % os.getuid())


def main():
    path = os.environb.get(b"PATH_INFO", b"")
    name = path[1:].split(b"/")[0].decode("latin-1").replace("-", "_")
    if name in URLS and path.startswith(b"/"):
        URLS[name]()
    else:
        start("404 Not Found", "X-Probe-Path: " + quote(path))
        out(b"the probe has no such path\n")


def one(name, default=""):
    return next((value for other, value in QUERY if other == name), default)


def several(name):
    return [value for other, value in QUERY if other == name]


def out(data):
    while data:
        data = data[os.write(1, data):]


def start(status="200 OK", *headers):
    lines = ["Status: " + status, *headers] if status else list(headers)
    out("".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1"))


def text(data):
    start("200 OK", "Content-Type: text/plain")
    out(data)


def body():
    """What RFC 3875 lets a program read: CONTENT_LENGTH bytes."""
    wanted = int(os.environ.get("CONTENT_LENGTH") or 0)
    data = b""
    while len(data) < wanted:
        block = os.read(0, wanted - len(data))
        if not block:
            break
        data += block
    return data


def event(line):
    if one("key"):
        with open(file_of(one("key")), "a") as file:
            file.write(line + "\n")


def file_of(key):
    if not key or not all(character.isalnum() or character in ".-" for character in key):
        raise ValueError("a key is of letters, digits and -")
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    if os.lstat(FOLDER).st_uid != os.getuid():
        raise PermissionError(FOLDER)
    return os.path.join(FOLDER, key)


def read_events():
    try:
        with open(file_of(one("key"))) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wait():
    """Until /release is asked for, but no longer than so many milliseconds."""
    event("held")
    end = time.monotonic() + int(one("wait", "1000")) / 1000
    while time.monotonic() < end:
        if os.path.exists(file_of(one("key") + ".go")):
            return b"released"
        time.sleep(0.005)
    return b"timeout"


def ended(*_):
    event("closed")
    os._exit(1)


def fail(when):
    if one("fail") == when:
        sys.stderr.write("probe-secret\n")
        sys.stderr.flush()
        if when == "body":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(3)


def quote(data):
    return quote_from_bytes(data, safe="/:.,()")


def pattern(size):
    return (bytes(range(256)) * (size // 256 + 1))[:size]


# --- the request ---


def environ():
    """The whole environment. ?read: standard input is read first."""
    facts = {b"probe.kind": b"cgi", b"probe.pid": b"%d" % os.getpid()}
    if one("read"):
        facts[b"probe.read"] = b"%d" % len(body())
    # Python sets LC_CTYPE itself where it finds no locale (PEP 538).
    variables = {key: value for key, value in os.environb.items() if key != b"LC_CTYPE"}
    lines = ["%s str %s\n" % (quote(key), quote(value)) for key, value in {**variables, **facts}.items()]
    text("".join(lines).encode())


def echo():
    data = body()
    start("200 OK", "Content-Type: application/octet-stream")
    out(data)


def report():
    """What reading the whole body came to, as an event."""
    count = len(body())
    whole = count == int(os.environ.get("CONTENT_LENGTH") or 0)
    event("ended %d" % count if whole else "failed short")
    text(b"read")


def beyond():
    """What standard input has after CONTENT_LENGTH bytes."""
    body()
    text(b"%d" % len(os.read(0, 1000)))


def log():
    """A lot, to standard error, before anything else."""
    os.write(2, b"the probe writes \xff \0 \x1b[31m\n" + b"x" * int(one("size", "0")) + b"\n")
    text(b"logged")


# --- events, and programs that wait ---


def events():
    text(read_events().encode())


def release():
    open(file_of(one("key") + ".go"), "w").close()
    text(b"released")


def forget():
    file_of(one("key"))
    for name in os.listdir(FOLDER):
        if name.startswith(one("key")):
            os.unlink(os.path.join(FOLDER, name))
    text(b"forgotten")


def hold():
    """?at=call or block: waits there for /release."""
    signal.signal(signal.SIGTERM, ended)
    if one("at") == "block":
        text(b"first")
        out(wait())
    else:
        text(wait())


def overlap():
    """Whether another such program is running at the same time."""
    event("in")
    end = time.monotonic() + int(one("wait", "1000")) / 1000
    met = False
    while not met and time.monotonic() < end:
        lines = read_events().splitlines()
        met = lines.count("in") - lines.count("out") >= 2
        time.sleep(0.005)
    time.sleep(0.05)
    event("out")
    text(b"%s %d" % (b"met" if met else b"alone", os.getpid()))


def flood():
    """?blocks=N of 64 KiB; each leaves an event."""
    signal.signal(signal.SIGTERM, ended)
    start("200 OK", "Content-Type: text/plain")
    try:
        for _ in range(int(one("blocks"))):
            event("block")
            out(b"x" * 65536)
    except BrokenPipeError:
        ended()


def family():
    """A program and a process of its own, both of which wait; tells who they are."""
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    text(b"family %d %d end" % (os.getpid(), child))
    time.sleep(30)


def alive():
    """?pid..: those of them that run, and are not only what a parent has not looked at."""
    running = []
    for pid in several("pid"):
        try:
            with open("/proc/%d/stat" % int(pid)) as file:
                running += [] if file.read().rsplit(") ", 1)[1][0] in "ZX" else [pid]
        except OSError:
            pass
    text(" ".join(running).encode())


# --- the response ---


def respond():
    """?status, ?header.., ?block.., ?size=N..; ?fail=call or body."""
    event("called")
    fail("call")
    start(one("status", "200 OK"), *several("header"))
    for block in several("block"):
        out(block.encode("latin-1"))
    for size in several("size"):
        out(pattern(int(size)))
    fail("body")


def raw():
    """?out: these bytes and nothing else."""
    out(one("out").encode("latin-1"))


def redirect_loop():
    """A local redirect to itself (RFC 3875, 6.2.2)."""
    out(("Location: %s/redirect-loop\r\n\r\n" % os.environ["SCRIPT_NAME"]).encode())


URLS = {
    function.__name__: function
    for function in [environ, echo, report, beyond, log, events, release, forget, hold, overlap, flood, family, alive]
    + [respond, raw, redirect_loop]
}

main()
