"""Calls that take longer than they may, hang or crash, each in its own way, and one that is quick."""

import ctypes
import io
import itertools
import re
import time


def application(environ, start_response):
    return CASES[environ["PATH_INFO"]](environ, start_response)


def quick(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"quick"]


def spins(environ, start_response):
    while True:
        pass


def sleeps_in_c(environ, start_response):
    # An exception reaches the thread only when this is over, long after the test.
    time.sleep(60)


def holds_the_interpreter(environ, start_response):
    # Backtracks for longer than anybody lives, in C, and never lets another thread have the interpreter.
    re.match(r"(a+)+$", "a" * 64 + "b")


def crashes(environ, start_response):
    ctypes.string_at(0)


def sleeps(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return quick(environ, start_response)


def swallows(environ, start_response):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def reads(environ, start_response):
    environ["wsgi.input"].read()
    return quick(environ, start_response)


def writes(environ, start_response):
    """More than a client that does not read can be sent."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        for _ in range(100):
            write(b"x" * (1 << 20))
    finally:
        environ["wsgi.errors"].write("writes no more\n")
    return []


def begins(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    while True:
        time.sleep(0.01)


class ClosesSlowly:
    def __iter__(self):
        return itertools.repeat(bytes(65536))

    def close(self):
        time.sleep(60)


def closes_slowly(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ClosesSlowly()


class SlowFile(io.FileIO):
    def close(self):
        time.sleep(60)


def closes_a_file_slowly(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](SlowFile(__file__))


CASES = {
    "/quick": quick,
    "/reads": reads,
    "/writes": writes,
    "/spins": spins,
    "/sleeps-in-c": sleeps_in_c,
    "/holds-the-interpreter": holds_the_interpreter,
    "/sleeps": sleeps,
    "/crashes": crashes,
    "/swallows": swallows,
    "/begins": begins,
    "/closes-slowly": closes_slowly,
    "/closes-a-file-slowly": closes_a_file_slowly,
}
