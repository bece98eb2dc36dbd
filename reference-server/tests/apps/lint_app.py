"""Ordinary applications behind the two checkers of the field: wsgiref's and Werkzeug's."""

import warnings
from wsgiref.validate import WSGIWarning, validator

from werkzeug.middleware.lint import HTTPWarning, LintMiddleware
from werkzeug.middleware.lint import WSGIWarning as WerkzeugWarning

import flask_app

# A complaint is to be seen each time.
for category in [WSGIWarning, HTTPWarning, WerkzeugWarning]:
    warnings.simplefilter("always", category)


def plain(environ, start_response):
    """Uses both streams, write() and the iterable in ways that both checkers allow."""
    stream, log = environ["wsgi.input"], environ["wsgi.errors"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    first = stream.read(length // 2)
    rest = stream.read(length - len(first))
    log.write("checked: write\n")
    log.writelines(["checked: writelines\n"])
    log.flush()
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(first)
    return iter([rest, b"-end"])


linted = LintMiddleware(plain)
flask_linted = LintMiddleware(flask_app.app)
flask_validated = validator(flask_app.app)
