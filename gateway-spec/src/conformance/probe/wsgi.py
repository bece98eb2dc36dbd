"""The probe application of the gateway conformance kit, for WSGI servers (PEP 3333).

Host `application` with any server, and judge that: `gateway conformance --url http://HOST:PORT/`. It needs nothing but
Python 3.8 or later. What requests tell each other goes through files below the temporary folder, so that threads and
processes may be as many as they like. Each function below is a URL; its parameters are in the query.
"""

import io
import os
import sys
import tempfile
import time
from urllib.parse import parse_qsl, quote_from_bytes

TEXT = ("Content-Type", "text/plain")
OCTETS = ("Content-Type", "application/octet-stream")
KEPT = [TEXT, ("X-Kept", "1")]
FOLDER = os.path.join(tempfile.gettempdir(), "gateway-probe-%d" % os.getuid())


class Failure(Exception):
    """What the probe raises; its text must not reach a client."""


class Mute(Exception):
    """An exception that cannot even be told."""

    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Application:
    """An object: a server must depend on nothing but that it can be called."""

    def __call__(self, *args, **keywords):
        environ, start_response = (args + tuple(keywords.values()))[:2]
        path = environ.get("PATH_INFO", "")
        name = path[1:].split("/")[0].replace("-", "_")
        request = Request(environ, start_response, "%d positional, %d named" % (len(args), len(keywords)))
        if name in URLS and path.startswith("/"):
            return URLS[name](request)
        start_response("404 Not Found", [TEXT, ("X-Probe-Path", quote(path.encode("latin-1")))])
        return [b"the probe has no such path\n"]


class Request:
    """The two arguments, the query, and the events that requests leave for each other."""

    def __init__(self, environ, start_response, arguments):
        self.environ = environ
        self.start_response = start_response
        self.arguments = arguments
        self.query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, encoding="latin-1")
        self.key = self.one("key")

    def one(self, name, default=""):
        return next((value for other, value in self.query if other == name), default)

    def all(self, name):
        return [value for other, value in self.query if other == name]

    def headers(self):
        return [tuple(header.split(":", 1)) for header in self.all("header")]

    def blocks(self):
        blocks = [block.encode("latin-1") for block in self.all("block")]
        return blocks + [pattern(int(size)) for size in self.all("size")]

    def start(self, status="200 OK", *headers, exc_info=None):
        replacing = () if exc_info is None else (exc_info,)
        return self.start_response(status, [TEXT, *headers], *replacing)

    def event(self, text):
        if self.key:
            with open(file_of(self.key), "a") as file:
                file.write(text + "\n")

    def wait(self):
        """Until /release is asked for, but no longer than so many milliseconds."""
        self.event("held")
        released = file_of(self.key + ".go")
        end = time.monotonic() + int(self.one("wait", "1000")) / 1000
        while time.monotonic() < end:
            if os.path.exists(released):
                return b"released"
            time.sleep(0.005)
        return b"timeout"

    def fail(self, when):
        if self.one("fail") == when:
            kinds = {"error": Failure("probe-secret"), "exit": SystemExit(1), "mute": Mute()}
            raise kinds[self.one("kind", "error")]


def file_of(key):
    if not key or not all(character.isalnum() or character in ".-" for character in key):
        raise ValueError("a key is of letters, digits and -")
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    if os.lstat(FOLDER).st_uid != os.getuid():
        raise PermissionError(FOLDER)
    return os.path.join(FOLDER, key)


def read_events(key):
    try:
        with open(file_of(key)) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def quote(data):
    return quote_from_bytes(data, safe="/:.,()")


def pattern(size):
    return (bytes(range(256)) * (size // 256 + 1))[:size]


# --- the request ---


def environ(request):
    """All keys with type and value. ?read: the body is read first. ?mark: changes the dict."""
    stream = request.environ["wsgi.input"]
    facts = {"probe.kind": "wsgi", "probe.pid": str(os.getpid()), "probe.arguments": request.arguments}
    if request.one("read"):
        facts["probe.read"] = str(len(stream.read()))
    log = request.environ["wsgi.errors"]
    facts["probe.environ"] = type(request.environ).__name__
    facts["probe.keys"] = " ".join(sorted({type(key).__name__ for key in request.environ}))
    facts["probe.input"] = " ".join(name for name in ("read", "readline", "readlines", "__iter__") if hasattr(stream, name))
    facts["probe.errors"] = " ".join(name for name in ("write", "writelines", "flush") if hasattr(log, name))
    lines = []
    for key, value in [*request.environ.items(), *facts.items()]:
        text = value if type(value) is str else repr(value) if isinstance(value, (bool, int, tuple)) else ""
        try:
            octets = text.encode("latin-1")
        except UnicodeEncodeError:
            octets = text.encode("utf-8", "surrogatepass")
            value = None
        lines.append("%s %s %s\n" % (quote(str(key).encode()), type(value).__name__, quote(octets)))
    if request.one("mark"):
        request.environ.update({"probe.mark": "1", "REQUEST_METHOD": "MARKED"})
    request.start()
    return ["".join(lines).encode()]


def echo(request):
    body = request.environ["wsgi.input"].read()
    request.start_response("200 OK", [OCTETS])
    return [body]


def report(request):
    """What reading the whole body came to, as an event."""
    try:
        count = len(request.environ["wsgi.input"].read())
    except BaseException as error:
        request.event("failed " + " ".join(kind.__name__ for kind in type(error).__mro__))
        raise
    request.event("ended %d" % count)
    request.start()
    return [b"read"]


def reads(request):
    """?op=METHOD or METHOD:SIZE ...: what each call of wsgi.input gives."""
    stream = request.environ["wsgi.input"]
    results = []
    for operation in request.all("op"):
        name, _, size = operation.partition(":")
        sizes = [] if not size else [None if size == "None" else int(size)]
        try:
            result = list(stream) if name == "list" else getattr(stream, name)(*sizes)
            result = [result] if isinstance(result, bytes) else ["list", *result]
            results.append(" ".join(item if item == "list" else quote(item) or "-" for item in result))
        except Exception as error:
            results.append("!" + type(error).__name__)
    request.start()
    return ["\n".join(results).encode()]


def log(request):
    """Anything at all, to wsgi.errors."""
    stream = request.environ["wsgi.errors"]
    stream.write("the probe writes\n")
    if request.one("size"):
        print("x" * int(request.one("size")), file=stream)
    else:
        stream.writelines(["a euro \u20ac\n", "a lone surrogate \ud800\n", "a NUL \0\n"])
    stream.flush()
    request.start()
    return [b"logged"]


# --- events, and calls that wait ---


def events(request):
    request.start()
    return [read_events(request.key).encode()]


def release(request):
    open(file_of(request.key + ".go"), "w").close()
    request.start()
    return [b"released"]


def forget(request):
    file_of(request.key)
    for name in os.listdir(FOLDER):
        if name.startswith(request.key):
            os.unlink(os.path.join(FOLDER, name))
    request.start()
    return [b"forgotten"]


def hold(request):
    """?at=call, start, block or write: waits there for /release."""
    at = request.one("at", "call")
    if at == "call":
        how = request.wait()
        request.start()
        return [how]
    write = request.start()
    if at == "start":
        how = request.wait()
        request.fail("start")
        return [how]
    if at == "write":
        write(b"first")
        write(request.wait())
        return []

    def blocks():
        yield b"first"
        yield request.wait()

    return Blocks(request, blocks())


def overlap(request):
    """Whether another such call is running at the same time."""
    request.event("in")
    end = time.monotonic() + int(request.one("wait", "1000")) / 1000
    met = False
    while not met and time.monotonic() < end:
        lines = read_events(request.key).splitlines()
        met = lines.count("in") - lines.count("out") >= 2
        time.sleep(0.005)
    time.sleep(0.05)
    request.event("out")
    request.start()
    return [b"%s %d" % (b"met" if met else b"alone", os.getpid())]


def flood(request):
    """?blocks=N of 64 KiB; each leaves an event."""
    request.start()

    def blocks():
        for _ in range(int(request.one("blocks"))):
            request.event("block")
            yield b"x" * 65536

    return Blocks(request, blocks())


# --- the response ---


class Blocks:
    """Tells of its close(), and of a server that goes on after it."""

    def __init__(self, request, blocks):
        self.request = request
        self.iterator = iter(blocks)
        self.closed = False

    def __iter__(self):
        return self

    def __next__(self):
        if self.closed:
            self.request.event("pulled after close")
        return next(self.iterator)

    def close(self):
        self.closed = True
        self.request.event("closed")
        self.request.fail("close")


class BlockList(list):
    def close(self):
        self.request.event("closed")
        self.request.fail("close")


class Split(Blocks):
    """Its iterator is another object, which has a close() that is none of the server's business."""

    def __iter__(self):
        return Iterator(self)


class Iterator:
    def __init__(self, split):
        self.split = split

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.split.iterator)

    def close(self):
        self.split.request.event("the iterator was closed")


class Hostile(Blocks):
    """Attributes that other servers' types have, and that would lead astray whoever used them."""

    filelike = name = blksize = len = None

    def read(self, *_):
        raise Failure("the server has read an iterable")

    fileno = tell = seek = getvalue = send = read


def respond(request):
    """?status, ?header.., ?block.., ?size=N.., ?as=list, iter, split or hostile; ?fail=call, start, body or close."""
    request.event("called")
    request.fail("call")
    request.start_response(request.one("status", "200 OK"), request.headers())
    request.fail("start")
    blocks, shape = request.blocks(), request.one("as", "list")
    if shape == "list" and request.one("fail") != "body":
        result = BlockList(blocks) if request.key else blocks
        if request.key:
            result.request = request
        return result

    def one_by_one():
        yield from blocks
        request.fail("body")

    return {"split": Split, "hostile": Hostile}.get(shape, Blocks)(request, one_by_one())


def lazy(request):
    """A generator, which calls start_response when it is asked for its first block. ?empty: for its second."""
    if request.one("empty"):
        yield b""
    request.start("404 Lazy", ("X-Lazy", "1"))
    yield b"lazy"


def write(request):
    """?write.. is written, ?block.. returned."""
    writes = request.start_response("200 OK", [TEXT, *request.headers()])
    for block in request.all("write"):
        writes(block.encode("latin-1"))
    return request.blocks()


def restart(request):
    """start_response with exc_info. ?when=before, empty, after or write: what was sent until then."""
    when = request.one("when")
    write = request.start("200 OK", ("X-Old", "1"))

    def replace():
        try:
            raise Failure("probe-secret")
        except Failure:
            try:
                request.start("500 Replaced", ("X-New", "1"), exc_info=sys.exc_info())
            except BaseException as error:
                request.event("raised %s %s" % (type(error).__name__, error))
                raise
            request.event("accepted")

    def blocks():
        yield b"" if when == "empty" else b"begun"
        replace()
        yield b"replaced"

    if when in ("empty", "after"):
        return blocks()
    if when == "write":
        write(b"begun")
    replace()
    return [b"replaced"]


def start_twice(request):
    request.start()
    try:
        request.start("201 Created")
    except Exception as error:
        return [("raised " + type(error).__name__).encode()]
    return [b"accepted"]


def never_start(request):
    return request.blocks()


def refused(request):
    """Whether start_response refuses ?status and ?header.."""
    try:
        request.start_response(request.one("status", "200 OK"), request.headers())
    except Exception:
        request.start(exc_info=sys.exc_info())
        return [b"refused"]
    return [b"accepted"]


def shapes(request):
    """?as=NAME: headers that are no list of pairs of str."""
    pair = ("X-Shape", "1")
    wrong = {"tuple": (pair,), "triple": [("X-Shape", "1", "2")], "bytes-name": [(b"X-Shape", "1")]}
    wrong.update({"bytes-value": [("X-Shape", b"1")], "int": [("X-Shape", 1)], "none": None, "euro": [("X-Shape", "\u20ac")]})
    request.start_response("200 OK", wrong[request.one("as")])
    return [b"accepted"]


def kept_list(request):
    """A list of headers that all calls share."""
    before = repr(KEPT)
    request.start_response("200 OK", KEPT)
    return [before.encode()]


def yields(request):
    """?when=first or later: a block that is not bytes."""
    request.start()
    return iter([b"begun", "text"] if request.one("when") == "later" else ["text"])


def file(request):
    """wsgi.file_wrapper. ?as=file or object, ?offset=N; with ?header.."""
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is None:
        request.start("501 Not Implemented")
        return [b"no wsgi.file_wrapper"]
    request.start_response("200 OK", [OCTETS, *request.headers()])
    if request.one("as") == "object":
        return wrapper(OnlyRead(request))
    path = file_of(request.key + ".file")
    with open(path, "wb") as target:
        target.write(pattern(1000))
    opened = File(path)
    opened.request = request
    opened.seek(int(request.one("offset", "0")))
    return wrapper(opened, 64)


class File(io.FileIO):
    def close(self):
        if not self.closed:
            self.request.event("closed")
        super().close()


class OnlyRead:
    def __init__(self, request):
        self.request = request
        self.rest = b"one,two"

    def read(self, size=-1):
        count = len(self.rest) if size is None or size < 0 else min(size, 4)
        block, self.rest = self.rest[:count], self.rest[count:]
        return block

    def close(self):
        self.request.event("closed")


URLS = {
    function.__name__: function
    for function in [environ, echo, report, reads, log, events, release, forget, hold, overlap, flood, respond, lazy]
    + [write, restart, start_twice, never_start, refused, shapes, kept_list, yields, file]
}

application = Application()
