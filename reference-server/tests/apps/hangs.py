"""Calls that hang, each in its own way, and one that does not."""

import ctypes
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


def holds_the_interpreter(environ, start_response):
    # Backtracks for longer than anybody lives, in C, and never lets another thread have the interpreter.
    re.match(r"(a+)+$", "a" * 64 + "b")


def crashes(environ, start_response):
    ctypes.string_at(0)


def sleeps(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return quick(environ, start_response)


CASES = {
    "/quick": quick,
    "/spins": spins,
    "/holds-the-interpreter": holds_the_interpreter,
    "/sleeps": sleeps,
    "/crashes": crashes,
}
