"""Applications that use write(), and how it goes."""

import os
import pathlib
import time

PLAIN = [("Content-Type", "text/plain")]

KEPT = []
"""A write that outlives its response."""


def application(environ, start_response):
    return CASES[environ["PATH_INFO"]](environ, start_response, environ["QUERY_STRING"])


def wait_for(path):
    for _ in range(3000):
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


CASES = {"/reports": reports, "/big": big, "/keeps": keeps, "/uses-kept": uses_kept}
