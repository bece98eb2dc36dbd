/* The work of `gateway compare` as a CGI program in C: cc -O2 cgi.c, and once more with -static. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void head(long length) {
    if (length < 0)
        fputs("Content-Type: text/plain\r\n\r\n", stdout);
    else
        printf("Content-Type: text/plain\r\nContent-Length: %ld\r\n\r\n", length);
}

static int hello(void) {
    head(13);
    fputs("Hello, World!", stdout);
    return 0;
}

static int page(void) {
    static char text[10240];
    memset(text, 'x', sizeof text);
    head(sizeof text);
    fwrite(text, 1, sizeof text, stdout);
    return 0;
}

static int echo(void) {
    const char *given = getenv("CONTENT_LENGTH");
    long length = given ? atol(given) : 0;
    char *data = malloc(length + 1);
    if (!data || fread(data, 1, length, stdin) != (size_t)length) return 1;
    head(length);
    fwrite(data, 1, length, stdout);
    return 0;
}

static int stream(void) {
    head(-1);
    for (int block = 0; block < 100; block++) {
        fputs("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", stdout);
        fflush(stdout);
    }
    return 0;
}

static int environment(void) {
    head(-1);
    for (char **variable = environ; *variable; variable++) puts(*variable);
    return 0;
}

static int nap(void) {
    usleep(10000);
    return hello();
}

int main(void) {
    const char *path = getenv("PATH_INFO");
    if (!path) return 1;
    if (!strcmp(path, "/hello")) return hello();
    if (!strcmp(path, "/page")) return page();
    if (!strcmp(path, "/echo")) return echo();
    if (!strcmp(path, "/stream")) return stream();
    if (!strcmp(path, "/environ")) return environment();
    if (!strcmp(path, "/sleep")) return nap();
    return 1;
}
