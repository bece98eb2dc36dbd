#!/bin/sh
echo "a complaint of the program" >&2
printf 'Content-Type: text/plain\n\n'
