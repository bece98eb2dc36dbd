"""The conformance kit's probe behind middleware that breaks the contract, each in one way."""

import importlib.util
import os
import pathlib
import traceback
from urllib.parse import unquote

spec = importlib.util.spec_from_file_location("probe", pathlib.Path(__file__).parent / "probe.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
probe = module.application


def buffers(environ, start_response):
    return [b"".join(probe(environ, start_response))]


def never_closes(environ, start_response):
    return (block for block in probe(environ, start_response))


def calls_twice(environ, start_response):
    list(probe(dict(environ), lambda *_: None))
    return probe(environ, start_response)


class WithoutLineEnds:
    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def readline(self, *size):
        return self.stream.readline(*size).rstrip(b"\n")

    def readlines(self, *hint):
        return [line.rstrip(b"\n") for line in self.stream.readlines(*hint)]


def strips_line_ends(environ, start_response):
    environ["wsgi.input"] = WithoutLineEnds(environ["wsgi.input"])
    return probe(environ, start_response)


def changes_line_ends(environ, start_response):
    return [block.replace(b"\r\n", b"\n") for block in probe(environ, start_response)]


def leaks_environment(environ, start_response):
    environ.update({"HOME": "/", **{name: value for name, value in os.environ.items() if name not in environ}})
    return probe(environ, start_response)


def decodes_twice(environ, start_response):
    environ["PATH_INFO"] = unquote(environ["PATH_INFO"], "latin-1")
    return probe(environ, start_response)


def empty_remote_user(environ, start_response):
    environ["REMOTE_USER"] = ""
    return probe(environ, start_response)


def starts_too_early(environ, start_response):
    """What looks at the head when the call returns."""
    head = ("200 OK", [])

    def start(status, headers, exc_info=None):
        nonlocal head
        if head == ("200 OK", []):
            head = (status, headers)
        return lambda block: None

    blocks = probe(environ, start)
    start_response(*head)
    return blocks


def tells_failures(environ, start_response):
    try:
        return probe(environ, start_response)
    except Exception:
        start_response("500 Failed", [("Content-Type", "text/plain")])
        return [traceback.format_exc().encode()]


def stranger(environ, start_response):
    del environ["gateway.version"], environ["REQUEST_URI"], environ["SERVER_PORT"]
    return probe(environ, start_response)
