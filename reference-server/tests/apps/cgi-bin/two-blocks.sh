#!/bin/sh
# Says its second word when the folder in the query string has a file `go`.
echo $$ > "$QUERY_STRING/pid"
printf 'Content-Type: text/plain\n\nfirst'
while [ ! -e "$QUERY_STRING/go" ]; do sleep 0.05; done
printf second
