"""The work of `gateway compare` as a WSGI callable: gateway and the WSGI servers among its peers host it unchanged."""

import time

HELLO = b"Hello, World!"
PAGE = b"x" * 10240
BLOCK = b"0123456789abcdef" * 4


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10240")])
    return [PAGE]


def echo(environ, start_response):
    data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (BLOCK for _ in range(100))


def environment(environ, start_response):
    lines = "".join(f"{key}={value}\n" for key, value in environ.items() if isinstance(value, str))
    data = lines.encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def sleep(environ, start_response):
    time.sleep(0.01)
    return hello(environ, start_response)


WORK = {"/hello": hello, "/page": page, "/echo": echo, "/stream": stream, "/environ": environment, "/sleep": sleep}


def application(environ, start_response):
    return WORK[environ["PATH_INFO"]](environ, start_response)
