#!/bin/sh
# Says nothing for longer than any test takes, nor does its child.
echo $$ > "$QUERY_STRING/pid"
sleep 1000 &
echo $! > "$QUERY_STRING/child"
wait
