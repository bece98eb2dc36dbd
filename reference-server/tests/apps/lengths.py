"""A WSGI application that promises five bytes, or so many more than 100,000, and yields what its path says.

`?FOLDER`: FOLDER/ended says that the iterable ran to its end, FOLDER/closed that it was closed.
"""

import itertools
import pathlib
import time


def slow():
    yield b"xxxxx"
    time.sleep(0.05)
    yield b"yyyyy"


LARGE = b"x" * 100_000

BLOCKS = {
    "/exact": lambda: [b"xx", b"xxx"],
    "/exact-and-larger": lambda: [LARGE, b"xxxxx"],
    "/generator": lambda: (block for block in [b"xxxxx", b"yyyyy"]),
    "/larger": lambda: [LARGE, b"xxxxx", b"y" * 100_000],
    "/endless": lambda: itertools.chain([b"xxxxx"], itertools.repeat(b"y")),
    "/slow": slow,
}


def iterate(environ, blocks):
    folder = environ["QUERY_STRING"]
    try:
        yield from blocks
        if folder:
            pathlib.Path(folder, "ended").write_text("ended")
    finally:
        if folder:
            pathlib.Path(folder, "closed").write_text("closed")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    length = 100_005 if path.endswith("larger") else 5
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(length))])
    if path == "/list":
        return [b"xxxxx", b"yyyyy"]
    return iterate(environ, BLOCKS[path]())
