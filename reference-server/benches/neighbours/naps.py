"""A WSGI application that sleeps for as many seconds as the query says, and answers with the thread that ran it."""

import threading
import time


def application(environ, start_response):
    if environ["QUERY_STRING"]:
        time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%010d\n" % threading.get_native_id()]
