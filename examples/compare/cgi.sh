#!/bin/sh
# The work of `gateway compare` as a CGI program for the shell.
hello() { printf 'Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!'; }
case $PATH_INFO in
/hello) hello ;;
/page)
    page=xxxxxxxxxx
    for _ in 1 2 3 4 5 6 7 8 9 10; do page=$page$page; done
    printf 'Content-Type: text/plain\r\nContent-Length: 10240\r\n\r\n%s' "$page"
    ;;
/echo)
    printf 'Content-Type: text/plain\r\nContent-Length: %s\r\n\r\n' "$CONTENT_LENGTH"
    exec head -c "$CONTENT_LENGTH"
    ;;
/stream)
    printf 'Content-Type: text/plain\r\n\r\n'
    left=100
    while [ $left -gt 0 ]; do
        printf 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        left=$((left - 1))
    done
    ;;
/environ)
    printf 'Content-Type: text/plain\r\n\r\n'
    exec env
    ;;
/sleep)
    sleep 0.01
    hello
    ;;
*) exit 1 ;;
esac
