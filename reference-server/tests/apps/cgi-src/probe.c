/* What a program starts with: descriptors, blocked signals, process group. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    sigset_t blocked;
    struct sigaction pipe;
    printf("Content-Type: text/plain\r\n\r\ndescriptors:");
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            printf(" %d", fd);
    printf("\nblocked signals:");
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number < 32; number++)
        if (sigismember(&blocked, number) == 1)
            printf(" %d", number);
    sigaction(SIGPIPE, NULL, &pipe);
    printf("\nSIGPIPE: %s\n", pipe.sa_handler == SIG_DFL ? "default" : "other");
    printf("own group: %s\n", getpgrp() == getpid() ? "yes" : "no");
    return 0;
}
