#!/bin/sh
# Closes its output and goes on.
printf 'Content-Type: text/plain\n\ncomplete'
exec >&-
sleep 1000
