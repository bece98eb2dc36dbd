"""Calls that are to leave nothing behind, and what is alive after them."""

import gc
import sys

PLAIN = [("Content-Type", "text/plain")]


def application(environ, start_response):
    return CASES[environ["PATH_INFO"]](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"hello"]


def generates(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"one"
    yield b"two"


def writes(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"one")
    write(b"two")
    return []


def raises(environ, start_response):
    raise ValueError("raised")


def replaces_head(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("500 Replaced", PLAIN, sys.exc_info())
    return [b"replaced"]


def reads(environ, start_response):
    stream = environ["wsgi.input"]
    line, rest = stream.readline(), stream.read()
    start_response("200 OK", PLAIN)
    return [line, rest]


def wraps_a_file(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


def logs(environ, start_response):
    environ["wsgi.errors"].write("logged\n")
    start_response("200 OK", PLAIN)
    return (b"logged",)


def alive(environ, start_response):
    """How many objects the garbage collector knows, and how many blocks of memory Python has given out."""
    gc.collect()
    objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
    start_response("200 OK", PLAIN)
    return [f"{objects} {blocks}".encode()]


CASES = {
    f"/{case.__name__}": case
    for case in [hello, generates, writes, raises, replaces_head, reads, wraps_a_file, logs, alive]
}
