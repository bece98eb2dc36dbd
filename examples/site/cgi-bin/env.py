#!/usr/bin/env python3
"""Shows the variables that a CGI program is given (RFC 3875, section 4.1)."""

import os
import sys

lines = [f"{name} = {value}\n" for name, value in sorted(os.environ.items())]
body = "".join(lines).encode("utf-8", "surrogateescape")

sys.stdout.buffer.write(b"Content-Type: text/plain; charset=utf-8\n")
sys.stdout.buffer.write(b"Content-Length: %d\n\n" % len(body))
sys.stdout.buffer.write(body)
