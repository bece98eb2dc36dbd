#!/bin/sh
# Dies in the middle of its answer; the query string says how.
printf 'Content-Type: text/plain\n\nbegun'
case $QUERY_STRING in
exit) exit 3 ;;
kill) kill -9 $$ ;;
esac
