"""Applications that use write(), and how it goes."""

import os
import pathlib
import time

PLAIN = [("Content-Type", "text/plain")]

KEPT = []
"""A write that outlives its response."""

OUTCOMES = []
"""How writing has gone."""


def application(environ, start_response):
    return CASES[environ["PATH_INFO"]](environ, start_response, environ["QUERY_STRING"])


def wait_for(path):
    for _ in range(12000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise TimeoutError(path)


def reports(environ, start_response, folder):
    """`?FOLDER`: FOLDER/wrote says how it went."""
    write = start_response(environ["HTTP_X_STATUS"], PLAIN)
    try:
        write(b"one")
        wait_for(f"{folder}/go")
        write(b"two")
        outcome = "fine"
    except BaseException as error:
        outcome = repr(error)
    pathlib.Path(folder, "wrote").write_text(outcome)
    return []


def big(environ, start_response, count):
    """`?COUNT`: so many blocks of 1 MiB."""
    write = start_response("200 OK", PLAIN)
    for _ in range(int(count)):
        write(b"x" * (1 << 20))
    return []


def fills(environ, start_response, counts):
    """`?COUNT,COUNT`: writes blocks of these sizes, which are all of the Content-Length. OUTCOMES says how it went."""
    counts = [int(count) for count in counts.split(",")]
    write = start_response("200 OK", [*PLAIN, ("Content-Length", str(sum(counts)))])
    outcome = b"fine"
    for count in counts:
        try:
            write(b"x" * count)
        except Exception as error:
            outcome = repr(error).encode()
        time.sleep(0.01)
    OUTCOMES.append(outcome)
    return []


def outcome(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return [OUTCOMES.pop() if OUTCOMES else b"none yet"]


def writes_late(environ, start_response, folder):
    """`?FOLDER`: FOLDER/wrote has what write() has raised when nobody was there for its response."""
    pathlib.Path(folder, "begun").touch()
    while not environ["gateway.disconnected"]():
        time.sleep(0.01)
    write = start_response("200 OK", PLAIN)
    try:
        while True:
            write(b"x" * 100_000)
    except OSError:
        pathlib.Path(folder, "wrote").write_text("an OSError")
        raise


def keeps(environ, start_response, argument):
    KEPT.append(start_response("200 OK", PLAIN))
    return [b"kept"]


def uses_kept(environ, start_response, count):
    """`?COUNT`: writes so many bytes to a response that is over."""
    try:
        KEPT[-1](b"x" * int(count))
        outcome = b"nothing was raised"
    except Exception:
        outcome = b"an exception"
    start_response("200 OK", PLAIN)
    return [outcome]


CASES = {
    "/reports": reports,
    "/big": big,
    "/fills": fills,
    "/outcome": outcome,
    "/writes-late": writes_late,
    "/keeps": keeps,
    "/uses-kept": uses_kept,
}
