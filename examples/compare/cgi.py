#!/usr/bin/env python3
# The work of `gateway compare` as a CGI program in Python.
import os
import sys


def answer(data):
    head = "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(data)
    sys.stdout.buffer.write(head.encode() + data)


def hello():
    answer(b"Hello, World!")


def stream():
    out = sys.stdout.buffer
    out.write(b"Content-Type: text/plain\r\n\r\n")
    for _ in range(100):
        out.write(b"0123456789abcdef" * 4)
        out.flush()


def sleep():
    import time

    time.sleep(0.01)
    hello()


WORK = {
    "/hello": hello,
    "/page": lambda: answer(b"x" * 10240),
    "/echo": lambda: answer(sys.stdin.buffer.read(int(os.environ["CONTENT_LENGTH"]))),
    "/stream": stream,
    "/environ": lambda: answer(b"".join(b"%s=%s\n" % pair for pair in os.environb.items())),
    "/sleep": sleep,
}

WORK[os.environ["PATH_INFO"]]()
