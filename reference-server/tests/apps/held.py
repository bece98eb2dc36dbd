"""Calls that sleep for as long as the query says, and tell when they begin."""

import pathlib
import time


def application(environ, start_response):
    name = environ["PATH_INFO"].rpartition("/")[2]
    folder = environ.get("HTTP_X_FOLDER")
    if folder:
        pathlib.Path(folder, f"begun-{name}").touch()
        while not pathlib.Path(folder, "go").exists():
            time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Name", name)])
    return [name.encode()]
