/* A CGI program in C. It is compiled by ../cgi-bin/hello when it is first asked for. */

#include <stdio.h>
#include <stdlib.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

int main(void)
{
    printf("Content-Type: text/plain; charset=utf-8\n\n");
    printf("Hello from C: %s %s%s\n", variable("REQUEST_METHOD"), variable("SCRIPT_NAME"), variable("PATH_INFO"));
    return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
