"""Applications that each break one rule: the path says which."""

PLAIN = [("Content-Type", "text/plain")]


def none(environ, start_response):
    start_response("200 OK", PLAIN)


def text(environ, start_response):
    start_response("200 OK", PLAIN)
    return "text"


def one_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return b"text"


def str_block(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


def str_yielded(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"fine"
    yield "text"


def no_start(environ, start_response):
    return [b"text"]


def no_start_lazy(environ, start_response):
    yield b"text"


def starts_twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b""]


def keywords(environ, start_response):
    start_response(status="200 OK", headers=PLAIN)
    return [b""]


def int_status(environ, start_response):
    start_response(200, PLAIN)
    return [b""]


def bare_status(environ, start_response):
    start_response("200", PLAIN)
    return [b""]


def tuple_headers(environ, start_response):
    start_response("200 OK", tuple(PLAIN))
    return [b""]


def list_pair(environ, start_response):
    start_response("200 OK", [["Content-Type", "text/plain"]])
    return [b""]


def bytes_header(environ, start_response):
    start_response("200 OK", [("X", b"1")])
    return [b""]


def newline(environ, start_response):
    start_response("200 OK", PLAIN + [("X", "a\nb")])
    return [b""]


def tab(environ, start_response):
    start_response("200 OK", PLAIN + [("X", "a\tb")])
    return [b""]


def hop(environ, start_response):
    start_response("200 OK", PLAIN + [("Connection", "close")])
    return [b""]


def status_header(environ, start_response):
    start_response("200 OK", PLAIN + [("Status", "200")])
    return [b""]


def exc_info(environ, start_response):
    start_response("200 OK", PLAIN, True)
    return [b""]


def write_str(environ, start_response):
    start_response("200 OK", PLAIN)("text")
    return [b""]


def write_late(environ, start_response):
    write = start_response("200 OK", PLAIN)

    def body():
        yield b"a"
        write(b"b")
        yield b"c"

    return body()


def closes_input(environ, start_response):
    environ["wsgi.input"].close()
    start_response("200 OK", PLAIN)
    return [b""]


def closes_errors(environ, start_response):
    environ["wsgi.errors"].close()
    start_response("200 OK", PLAIN)
    return [b""]


def reads_oddly(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        environ["wsgi.input"].read(1, 2)
    except TypeError:
        pass
    return [b""]


def logs_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        environ["wsgi.errors"].write(b"x")
    except TypeError:
        pass
    return [b""]


class Raising(list):
    def close(self):
        raise ValueError("in close")


def close_raises(environ, start_response):
    start_response("200 OK", PLAIN)
    return Raising([b"a"])


def deletes_key(environ, start_response):
    del environ["REQUEST_METHOD"]
    start_response("200 OK", PLAIN)
    return [b""]


def changes_type(environ, start_response):
    environ["PATH_INFO"] = b"/x"
    start_response("200 OK", PLAIN)
    return [b""]


def too_few(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "10")])
    yield b"text"


def too_many(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "2")])
    yield b"text"


def differs(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "2")])
    return [b"text"]


def untyped(environ, start_response):
    start_response("200 OK", [])
    return [b"text"]


def typed_204(environ, start_response):
    start_response("204 No Content", PLAIN)
    return []


def raises(environ, start_response):
    raise ValueError("by intention")


def raises_later(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"a"
    raise ValueError("by intention")


def one_argument(environ):
    return []


CASES = {f"/{name}": case for name, case in list(globals().items()) if callable(case) and name != "Raising"}


def application(environ, start_response):
    case = CASES.get(environ["PATH_INFO"])
    if case is None:
        start_response("404 Not Found", PLAIN)
        return [b"no such case\n"]
    return case(environ, start_response)
