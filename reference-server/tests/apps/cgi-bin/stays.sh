#!/bin/sh
# Answers, and goes on without its output. ?FOLDER: FOLDER/pid is its number.
echo $$ > "$QUERY_STRING/pid"
printf 'Content-Type: text/plain\n\ncomplete'
exec >&- 2>&-
exec sleep 1000
