"""A WSGI application with one case per path, for a server to be right or wrong about.

`/NAME?ARGUMENT` calls the function NAME below; any other path shows the environ.
"""

import gzip
import io
import os
import pathlib
import sys
import tempfile
import threading
import time
from urllib.parse import unquote
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]


def application(environ, start_response):
    name = environ["PATH_INFO"].partition("/")[2].partition("/")[0]
    function = CASES.get(name, dump)
    if function is dump:
        return dump(environ, start_response)
    return function(environ, start_response, unquote(environ.get("QUERY_STRING", ""), "latin-1"))


def dump(environ, start_response):
    start_response("200 OK", PLAIN)
    lines = [f"{key}={ascii(value)}" for key, value in sorted(environ.items())]
    lines += [f"type(environ)={type(environ).__name__}", f"keys={sorted({type(key).__name__ for key in environ})}"]
    environ.clear()
    return ["".join(line + "\n" for line in lines).encode()]


# --- start_response and the head ---


def lazy(environ, start_response, argument):
    start_response("404 Not Found", [*PLAIN, ("X-A", "1")])
    yield b"x"


def lazy_after_empty(environ, start_response, argument):
    yield b""
    start_response("202 Accepted", [*PLAIN, ("X-A", "2")])
    yield b"x"


def writes(environ, start_response, argument):
    write = start_response("200 OK", PLAIN)
    write(b"a")
    return [b"b"]


def writes_only(environ, start_response, argument):
    write = start_response("200 OK", PLAIN)
    write(b"one,")
    write(b"")
    write(b"two")
    return []


def writes_in_generator(environ, start_response, argument):
    write = start_response("200 OK", PLAIN)

    def blocks():
        yield b"b"
        yield b"c"

    write(b"a")
    return blocks()


def starts_twice(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    start_response("201 Created", PLAIN)
    return [b"second"]


def starts_twice_and_traps(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    try:
        start_response("201 Created", PLAIN)
    except Exception as error:
        print("the second call raised", type(error).__name__, file=environ["wsgi.errors"])
    return [b"x"]


def replaces_head(environ, start_response, argument):
    start_response("200 OK", [*PLAIN, ("X-B", "1")])
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("500 Oops", [*PLAIN, ("X-A", "1")], sys.exc_info())
    return [b"failed"]


def replaces_head_by_keyword(environ, start_response, argument):
    start_response("200 OK", PLAIN, exc_info=None)
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("500 Oops", PLAIN, exc_info=sys.exc_info())
    return [b"failed"]


def replaces_head_too_late(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    yield b"begun"
    try:
        raise ValueError("too late to replace")
    except ValueError:
        try:
            start_response("500 Oops", PLAIN, sys.exc_info())
        except ValueError as error:
            print("start_response re-raised:", error, file=environ["wsgi.errors"])
            raise
    yield b"never sent"


def replaces_head_too_late_and_traps(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    yield b"begun"
    try:
        raise ValueError("too late to replace")
    except ValueError:
        try:
            start_response("500 Oops", PLAIN, sys.exc_info())
        except ValueError:
            pass
    yield b"never sent"


def starts_after_a_failure(environ, start_response, argument):
    try:
        start_response("not a status", PLAIN)
    except ValueError:
        pass
    start_response("200 OK", PLAIN)
    return [b"x"]


def never_starts(environ, start_response, argument):
    return [b"x"]


def never_starts_and_is_empty(environ, start_response, argument):
    return []


def returns_none(environ, start_response, argument):
    start_response("200 OK", PLAIN)


def length_refused(environ, start_response, argument):
    """`?LENGTH`: what start_response says to such a Content-Length."""
    try:
        start_response("200 OK", [*PLAIN, ("Content-Length", argument)])
    except Exception as error:
        start_response("500 Refused", PLAIN, sys.exc_info())
        return [type(error).__name__.encode()]
    return [b"x"]


def status(environ, start_response, argument):
    start_response(argument, PLAIN)
    return [b"x"]


def header_value(environ, start_response, argument):
    start_response("200 OK", [*PLAIN, ("X-Value", argument)])
    return [b"x"]


def header_name(environ, start_response, argument):
    start_response("200 OK", [*PLAIN, (argument, "1")])
    return [b"x"]


def bad_headers(environ, start_response, argument):
    headers = {
        "tuple": (("Content-Type", "text/plain"),),
        "triple": [("X-A", "1", "2")],
        "list-item": [["X-A", "1"]],
        "bytes-name": [(b"X-A", "1")],
        "bytes-value": [("X-A", b"1")],
        "int-value": [("X-A", 1)],
        "none": None,
        "dict": {"X-A": "1"},
    }[argument]
    start_response("200 OK", headers)
    return [b"x"]


def two_cookies(environ, start_response, argument):
    start_response("200 OK", [*PLAIN, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"x"]


def many_headers(environ, start_response, argument):
    """`?COUNT`: so many headers."""
    start_response("200 OK", [(f"X-{number}", "value") for number in range(int(argument))])
    return [b"x"]


def keeps_header_list(environ, start_response, argument):
    headers = [*PLAIN, ("X-A", "1")]
    start_response("200 OK", headers)
    return [ascii(headers).encode()]


def recurses(environ, start_response, argument):
    """As deep as a main thread can, through C in each step."""

    def step(depth):
        return sorted([depth], key=lambda depth: step(depth - 1) if depth else 0)

    sys.setrecursionlimit(5000)
    step(900)
    sys.setrecursionlimit(1000)
    start_response("200 OK", PLAIN)
    return [b"x"]


# --- the body ---


def length(environ, start_response, argument):
    """`?CLAIMED,ACTUAL`: a Content-Length, true or not, and blocks of five bytes."""
    claimed, actual = argument.split(",")
    start_response("200 OK", [*PLAIN, ("Content-Length", claimed)])
    return (b"5byte" for _ in range(int(actual) // 5))


def length_by_write(environ, start_response, argument):
    write = start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    write(b"12345")
    write(b"67890")
    return []


def one_block(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return [b"x" * 1000]


def blocks(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return (block for block in (b"one\n", b"", b"two\r\n", b"\0\xff\r\n\r\n"))


def raises(environ, start_response, argument):
    raise ValueError("raised at once")


def raises_after_start(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    raise ValueError("raised after start_response")


def raises_in_iteration(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    yield b"begun"
    raise ValueError("raised after the first block")


def exits(environ, start_response, argument):
    sys.exit(1)


def yields(environ, start_response, argument):
    """`?first-KIND` or `?later-KIND`: something that is not bytes."""
    when, kind = argument.split("-")
    wrong = {"str": "x", "int": 1, "none": None, "bytearray": bytearray(b"x"), "memoryview": memoryview(b"x")}[kind]
    start_response("200 OK", PLAIN)
    return iter([wrong] if when == "first" else [b"begun", wrong])


def returns_str(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return "text"


def empty_status(environ, start_response, argument):
    """`?STATUS`: a body and a length where neither belongs."""
    start_response(argument, [("Content-Length", "4"), ("X-A", "1")])
    return Closing([b"body"], environ, "empty")


# --- waiting: ?FOLDER is where application and test tell each other what has happened ---


def wait_for(path):
    for _ in range(12000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise TimeoutError(path)


def two_blocks(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    yield b"first"
    wait_for(f"{argument}/go")
    yield b"second"


def two_writes(environ, start_response, argument):
    write = start_response("200 OK", PLAIN)
    write(b"first")
    wait_for(f"{argument}/go")
    write(b"second")
    return []


def sleeps(environ, start_response, argument):
    with tempfile.NamedTemporaryFile(prefix="asleep-", dir=argument):
        wait_for(f"{argument}/wake")
    start_response("200 OK", PLAIN)
    return [b"awake"]


class endless:
    """Blocks without end; tells when the first was asked for, and when it was closed."""

    def __init__(self, environ, start_response, argument):
        self.folder = argument
        start_response("200 OK", PLAIN)

    def __iter__(self):
        tempfile.mkstemp(prefix="begun-", dir=self.folder)
        while True:
            yield b"x" * 65536

    def close(self):
        tempfile.mkstemp(prefix="closed-", dir=self.folder)


# --- close() ---


class Closing:
    """Blocks whose close() leaves a line in FOLDER/closed."""

    def __init__(self, blocks, environ, folder):
        self.blocks = blocks
        self.path = pathlib.Path(folder, "closed") if folder.startswith("/") else None

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        if self.path:
            with self.path.open("a") as file:
                file.write("closed\n")


class ClosingList(list):
    path = None
    close = Closing.close


def closes(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return Closing([b"a", b"b"], environ, argument)


def closes_not_modified(environ, start_response, argument):
    start_response("304 Not Modified", [])
    return Closing([b"a", b"b"], environ, argument)


def closes_list(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    result = ClosingList([b"a", b"b"])
    result.path = pathlib.Path(argument, "closed")
    return result


def closes_after_exception(environ, start_response, argument):
    def blocks():
        yield b"begun"
        raise ValueError("raised before close")

    start_response("200 OK", PLAIN)
    return Closing(blocks(), environ, argument)


def closes_never_started(environ, start_response, argument):
    return Closing([b"a"], environ, argument)


def closes_endless(environ, start_response, argument):
    def blocks():
        while True:
            yield b"x" * 65536

    start_response("200 OK", PLAIN)
    return Closing(blocks(), environ, argument)


def closes_endless_empties(environ, start_response, argument):
    """Has nothing to say, as if it waited for news."""

    def blocks():
        yield b"first"
        while True:
            time.sleep(0.001)
            yield b""

    start_response("200 OK", PLAIN)
    return Closing(blocks(), environ, argument)


def closes_while_waiting(environ, start_response, argument):
    def blocks():
        yield b"first"
        pathlib.Path(argument, "waits").touch()
        wait_for(f"{argument}/go")
        yield b"second"

    start_response("200 OK", PLAIN)
    return Closing(blocks(), environ, argument)


def closes_after_waiting(environ, start_response, argument):
    pathlib.Path(argument, "waits").touch()
    wait_for(f"{argument}/go")
    start_response("200 OK", PLAIN)
    return Closing([b"a", b"b"], environ, argument)


def closes_short(environ, start_response, argument):
    """More blocks than the Content-Length has room for."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "1")])
    return Closing([b"a", b"b", b"c"], environ, argument)


def close_raises(environ, start_response, argument):
    class Raising:
        def __iter__(self):
            return iter([b"x"])

        def close(self):
            raise ValueError("raised in close")

    start_response("200 OK", PLAIN)
    return Raising()


def hostile_iterable(environ, start_response, argument):
    """An iterable whose other attributes a server has no business with."""

    class Hostile:
        def __iter__(self):
            return iter([b"a", b"b"])

        def __getattr__(self, name):
            if name == "close":
                raise AttributeError(name)
            raise RuntimeError(f"the server asked for {name}")

    start_response("200 OK", PLAIN)
    return Hostile()


# --- files ---


def file_wrapper(environ, start_response, argument):
    """`?FOLDER`: 20 bytes of FOLDER/file from its offset 10; the file's close leaves a line in FOLDER/closed."""

    class File(io.FileIO):
        def close(self):
            if not self.closed:
                with open(f"{argument}/closed", "a") as file:
                    file.write("closed\n")
            super().close()

    file = File(f"{argument}/file")
    file.seek(10)
    start_response("200 OK", [*PLAIN, ("Content-Length", "20")])
    return environ["wsgi.file_wrapper"](file, 4096)


def file_wrapper_of_anything(environ, start_response, argument):
    class OnlyRead:
        blocks = [b"one", b"two"]

        def read(self, size):
            return self.blocks.pop(0) if self.blocks else b""

    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](OnlyRead())


def file_wrapper_whole(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](open(f"{argument}/file", "rb"))


def file_wrapper_of_gzip(environ, start_response, argument):
    """An object that has a descriptor, and reads something else than is there."""
    with gzip.open(f"{argument}/file.gz", "wb") as file:
        file.write(b"compressed")
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](gzip.open(f"{argument}/file.gz"))


def file_wrapper_of_upper_case(environ, start_response, argument):
    class Upper(io.FileIO):
        def read(self, size=-1):
            return super().read(size).upper()

    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](Upper(f"{argument}/file"))


def file_wrapper_of_unwritten(environ, start_response, argument):
    """A file of which a part is in a buffer of its own, where seeking back leaves it."""
    file = open(f"{argument}/file", "r+b")
    file.read(1)
    file.seek(0)
    file.write(b"TE")
    file.seek(0)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)


def file_wrapper_of_replaced_read(environ, start_response, argument):
    file = open(f"{argument}/file", "rb")
    read = file.read
    file.read = lambda size: read(size).upper()
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](filelike=file, blksize=2)


def file_wrapper_without_length(environ, start_response, argument):
    """The kernel says of the files in /proc that they are empty."""
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](open("/proc/self/status", "rb"))


# --- wsgi.input ---


def reads(environ, start_response, argument):
    """`?OP;OP:SIZE;...`: calls these methods of wsgi.input and shows what each gives."""
    stream = environ["wsgi.input"]
    results = []
    for operation in argument.split(";"):
        name, *sizes = operation.split(":")
        sizes = [None if size == "None" else int(size) for size in sizes]
        results.append(list(stream) if name == "list" else getattr(stream, name)(*sizes))
    start_response("200 OK", PLAIN)
    return ["".join(ascii(result) + "\n" for result in results).encode()]


def echo(environ, start_response, argument):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return iter(lambda: environ["wsgi.input"].read(65536), b"")


def echo_lines(environ, start_response, argument):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return list(environ["wsgi.input"])


def echo_length(environ, start_response, argument):
    """Reads no more than CONTENT_LENGTH says, as PEP 3333 asks of an application."""
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]


def ignores(environ, start_response, argument):
    start_response("200 OK", PLAIN)
    return [b"ignored"]


KEPT = []


def keeps(environ, start_response, argument):
    """The environ outlives the request, as one does that is part of a cycle of references."""
    KEPT.append(environ)
    start_response("200 OK", PLAIN)
    return [b"kept"]


def refuses(environ, start_response, argument):
    start_response("401 Unauthorized", [*PLAIN, ("WWW-Authenticate", "Basic")])
    return [b"who?"]


def reports_input(environ, start_response, argument):
    """`?FOLDER`: FOLDER/read says what reading the whole body came to."""
    report = pathlib.Path(argument, "read")
    try:
        body = environ["wsgi.input"].read()
    except BaseException as error:
        report.write_text(" ".join(kind.__name__ for kind in type(error).__mro__))
        raise
    report.write_text(f"{len(body)} bytes")
    start_response("200 OK", PLAIN)
    return [b"read"]


def notes_lines(environ, start_response, argument):
    """`?FOLDER`: FOLDER/lines has each line of the body as soon as it is read, and then what it ended with."""
    with pathlib.Path(argument, "lines").open("ab", 0) as notes:
        try:
            for line in environ["wsgi.input"]:
                notes.write(line)
            notes.write(b"the end")
        except OSError:
            notes.write(b"OSError")
            raise
    start_response("200 OK", PLAIN)
    return [b"noted"]


def echo_at_once(environ, start_response, argument):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    yield from environ["wsgi.input"]


def reads_in_a_thread(environ, start_response, argument):
    """`?FOLDER`: a thread reads the body, first when nothing else runs; FOLDER/read says what that came to."""

    def work():
        wait_for(f"{argument}/go")
        try:
            outcome = f"{len(environ['wsgi.input'].read())} bytes"
        except OSError:
            outcome = "OSError"
        pathlib.Path(argument, "read").write_text(outcome)

    threading.Thread(target=work, daemon=True).start()
    start_response("200 OK", PLAIN)
    return [b"begun"]


# --- gateway.disconnected ---


def waits_for_disconnect(environ, start_response, argument):
    disconnected = environ["gateway.disconnected"]
    pathlib.Path(argument, "began").write_text(repr(disconnected()))
    while not disconnected():
        time.sleep(0.01)
    pathlib.Path(argument, "gone").touch()
    return never_starts(environ, start_response, argument)


def outlives(environ, start_response, argument):
    """Work that goes on when the request is over, until the client leaves."""
    disconnected = environ["gateway.disconnected"]

    def work():
        while not disconnected():
            time.sleep(0.01)
        pathlib.Path(argument, "gone").touch()

    threading.Thread(target=work, daemon=True).start()
    start_response("200 OK", PLAIN)
    return [repr(disconnected()).encode()]


# --- wsgi.errors ---


def errors(environ, start_response, argument):
    stream = environ["wsgi.errors"]
    stream.write("written to wsgi.errors\n")
    stream.writelines(["a line \u20ac\n", "a lone \ud800 surrogate\n"])
    print("printed to wsgi.errors", file=stream)
    stream.flush()
    start_response("200 OK", PLAIN)
    return [b"logged"]


# --- big bodies ---


def big(environ, start_response, argument):
    """`?COUNT`: so many blocks of 1 MiB."""
    block = bytes(range(256)) * 4096
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (block for _ in range(int(argument)))


def swallow(environ, start_response, argument):
    """How many blocks of 1 MiB of the pattern came, and what is wrong with them."""
    block = bytes(range(256)) * 4096
    count = wrong = 0
    while data := environ["wsgi.input"].read(len(block)):
        count += 1
        wrong += data != block
    start_response("200 OK", PLAIN)
    return [f"{count} blocks, {wrong} wrong".encode()]


# --- wsgiref.validate ---


@validator
def validated(environ, start_response):
    """Uses every method of both streams in ways that the validator allows."""
    stream, log = environ["wsgi.input"], environ["wsgi.errors"]
    parts = [stream.readline(), stream.readline(3), stream.read(4), *stream.readlines(1)]
    parts += [line for line in stream]
    parts += [stream.read(10), stream.readline()]
    log.write("validated: write\n")
    log.writelines(["validated: writelines\n"])
    log.flush()
    write = start_response("200 OK", PLAIN)
    write(b"".join(parts))
    return Closing([b"-", b"end"], environ, "")


# --- ways to name an application ---


def factory():
    return application


class Namespace:
    application = staticmethod(application)


CASES = {name.replace("_", "-"): case for name, case in globals().items() if callable(case)}
