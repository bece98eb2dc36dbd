#!/bin/sh
# The smallest CGI program: a header, an empty line, the body (RFC 3875, section 6).
printf 'Content-Type: text/plain; charset=utf-8\n\n'
printf 'Hello from the shell: %s %s\n' "$REQUEST_METHOD" "$SCRIPT_NAME$PATH_INFO"
