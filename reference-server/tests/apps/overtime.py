"""Calls that take longer than they may, each in its own way."""

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


def swallows(environ, start_response):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def begins(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    while True:
        time.sleep(0.01)


CASES = {
    "/quick": quick,
    "/spins": spins,
    "/sleeps-in-c": sleeps_in_c,
    "/swallows": swallows,
    "/begins": begins,
}
