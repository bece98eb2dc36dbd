"""A WSGI application that says which process it is, and does to it what applications do to processes."""

import ctypes
import os
import pathlib
import signal
import sys
import threading
import time

IMPORTER = os.getpid()
VERSION = pathlib.Path(os.environ.get("VERSION_FILE", os.devnull)).read_text().strip()


def application(environ, start_response):
    argument = environ.get("QUERY_STRING", "")
    if environ["PATH_INFO"] == "/forks-later":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return forks_later(argument)
    body = CASES[environ["PATH_INFO"].strip("/")](argument, environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


def pid(argument, environ):
    return str(os.getpid())


def importer(argument, environ):
    return str(IMPORTER)


def version(argument, environ):
    return VERSION


def multiprocess(argument, environ):
    return str(environ["wsgi.multiprocess"])


def variables(argument, environ):
    return " ".join(sorted(os.environ))


def sleep(argument, environ):
    time.sleep(float(argument))
    return str(os.getpid())


def leave(argument, environ):
    """Not by sys.exit, which is an exception: the process is gone."""
    os._exit(int(argument))


def exit(argument, environ):
    sys.exit(int(argument))


def forks(argument, environ):
    """`?HOW`: a copy of the process comes back out of the application. With which status it ends."""
    copy = os.fork()
    if copy == 0:
        if argument == "raise":
            raise ValueError("raised in the copy")
        if argument != "return":
            sys.exit(int(argument))
        return "from the copy"
    for _ in range(1000):
        if os.waitid(os.P_PID, copy, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return str(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
        time.sleep(0.01)
    os.kill(copy, signal.SIGKILL)
    return "it serves on"


def forks_later(argument):
    yield b"began "
    yield forks(argument, None).encode()


def crash(argument, environ):
    ctypes.string_at(0)


def abort(argument, environ):
    os.abort()


def eat(argument, environ):
    """Takes memory until there is none, touching each page."""
    eaten = []
    while True:
        eaten.append(b"x" * (1 << 20))


def grow(argument, environ):
    CASES["grown"] = bytearray(b"x") * (int(argument) << 20)
    return str(os.getpid())


def orphan(argument, environ):
    """Leaves a process behind whose parent has ended before it: its end is process 1's to notice."""
    read, write = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
        os._exit(0)
    os.wait()
    return os.read(read, 20).decode()


CASES = {name: value for name, value in globals().items() if callable(value)}
