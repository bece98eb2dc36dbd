"""Exceptions of every kind, and what the server keeps of them and of a call."""

import gc
import sys
import weakref

PLAIN = [("Content-Type", "text/plain")]

REFERENCES = {}
"""Weak references to what a call had, by its name."""

ASKED = []
"""The attributes of its iterable that the server has asked for."""


def application(environ, start_response):
    name, _, when = environ["PATH_INFO"].removeprefix("/").partition("/")
    if when:
        return RAISES[when](environ, start_response, KINDS[name])
    return CASES[name](environ, start_response)


def plain(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"fine"]


# --- exceptions: /KIND/WHEN ---


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("raised in __str__")

    __repr__ = __str__


class Wrong(Exception):
    def __str__(self):
        return 1


class Hostile(Exception):
    def __getattribute__(self, name):
        raise RuntimeError(f"raised for {name}")


class Own(BaseException):
    pass


def recursion():
    return recursion()


def throw(error):
    raise error


KINDS = {
    "exit": lambda: sys.exit(),
    "exit-with-text": lambda: sys.exit("leaving"),
    "interrupt": lambda: throw(KeyboardInterrupt()),
    "generator-exit": lambda: throw(GeneratorExit()),
    "base": lambda: throw(Own()),
    "no-message": lambda: throw(ValueError()),
    "umlaut": lambda: throw(ValueError("Grüße, 世界")),
    "surrogate": lambda: throw(ValueError("lone \ud800 surrogate")),
    "control": lambda: throw(ValueError("a\x1b[31mred\n2026 ERROR forged")),
    "mute": lambda: throw(Mute("never shown")),
    "wrong": lambda: throw(Wrong("never shown")),
    "hostile": lambda: throw(Hostile("never shown")),
    "group": lambda: throw(ExceptionGroup("several", [ValueError("one of them"), KeyError("another")])),
    "cause": lambda: throw_from(),
    "recursion": recursion,
    "memory": lambda: throw(MemoryError()),
}


def throw_from():
    try:
        throw(KeyError("the cause"))
    except KeyError as error:
        raise ValueError("the effect") from error


def in_call(environ, start_response, throw):
    throw()


def after_start(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    throw()


def at_first(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    throw()
    yield b"never"


def later(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    yield b"begun"
    throw()


def after_much(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    yield b"x" * 200_000
    throw()


def after_write(environ, start_response, throw):
    start_response("200 OK", PLAIN)(b"begun")
    throw()


class Blocks:
    def __init__(self, at_close=None, at_iter=None):
        self.at_close, self.at_iter = at_close, at_iter

    def __iter__(self):
        if self.at_iter:
            self.at_iter()
        return iter([b"fi", b"ne"])

    def close(self):
        if self.at_close:
            self.at_close()


def in_iter(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    return Blocks(at_iter=throw)


def in_close(environ, start_response, throw):
    start_response("200 OK", PLAIN)
    return Blocks(at_close=throw)


RAISES = {
    case.__name__: case
    for case in [in_call, after_start, at_first, later, after_much, after_write, in_iter, in_close]
}


# --- what is kept ---


class Kept(Exception):
    """An exception, or anything else that a weak reference can be to."""


def kept(environ, start_response):
    """The names of what is still alive, without the garbage collector's help."""
    start_response("200 OK", PLAIN)
    return [" ".join(name for name, reference in REFERENCES.items() if reference()).encode()]


def kept_cycles(environ, start_response):
    """The same, where a traceback's frame has the exception in a variable."""
    gc.collect()
    return kept(environ, start_response)


def references(environ, start_response):
    """How many references more there are to an exception after start_response was given it."""
    error = Kept()
    try:
        raise error
    except Kept:
        exc_info = sys.exc_info()
    before = [sys.getrefcount(part) for part in exc_info]
    start_response("500 Failed", PLAIN, exc_info)
    after = [sys.getrefcount(part) for part in exc_info]
    # The type is everybody's.
    return [ascii([new - old for new, old in zip(after[1:], before[1:])]).encode()]


def replaces(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise Kept()
    except Kept as error:
        REFERENCES["replaces"] = weakref.ref(error)
        start_response("500 Replaced", PLAIN, sys.exc_info())
    return [b"replaced"]


def comes_too_late(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun"
    error = Kept()
    REFERENCES["comes_too_late"] = weakref.ref(error)
    try:
        raise error
    except Kept as raised:
        traceback = raised.__traceback__
        try:
            start_response("500 Late", PLAIN, sys.exc_info())
        except Kept as again:
            innermost = again.__traceback__
            while innermost.tb_next:
                innermost = innermost.tb_next
            print("the same:", again is error, innermost is traceback, file=environ["wsgi.errors"])
            raise


def is_uncaught(environ, start_response):
    error = Kept()
    REFERENCES["is_uncaught"] = weakref.ref(error)
    try:
        raise error
    finally:
        del error


def is_uncaught_later(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun"
    error = Kept()
    REFERENCES["is_uncaught_later"] = weakref.ref(error)
    try:
        raise error
    finally:
        del error


def has_objects(environ, start_response):
    class Result(Blocks):
        pass

    environ["kept"], result = Kept(), Result()
    REFERENCES["environ"] = weakref.ref(environ["kept"])
    REFERENCES["result"] = weakref.ref(result)
    start_response("200 OK", PLAIN)
    return result


# --- attributes ---


class Spied:
    """An iterable that notes what it is asked for."""

    def __init__(self, blocks):
        self.blocks = blocks

    def __getattribute__(self, name):
        ASKED.append(name)
        return object.__getattribute__(self, name)

    def __iter__(self):
        return SpiedIterator(object.__getattribute__(self, "blocks"))

    def __len__(self):
        ASKED.append("len()")
        return 2

    def __bool__(self):
        ASKED.append("bool()")
        return False

    def close(self):
        ASKED.append("close()")


class SpiedIterator(Spied):
    def __iter__(self):
        return self

    def __next__(self):
        blocks = object.__getattribute__(self, "blocks")
        if not blocks:
            raise StopIteration
        return blocks.pop(0)

    def close(self):
        ASKED.append("the iterator's close()")


def spied(environ, start_response):
    start_response("200 OK", PLAIN)
    return Spied([b"fi", b"ne"])


def asked(environ, start_response):
    start_response("200 OK", PLAIN)
    names = " ".join(ASKED)
    ASKED.clear()
    return [names.encode()]


CASES = {
    case.__name__: case
    for case in [
        plain, kept, kept_cycles, references, replaces, comes_too_late, is_uncaught, is_uncaught_later, has_objects,
        spied, asked,
    ]
}  # fmt: skip
