/* How many blocks of 1 MiB of the pattern came, and how many bytes of them are wrong. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static unsigned char block[1 << 20];
    long bytes = 0, wrong = 0;
    size_t count;
    while ((count = fread(block, 1, sizeof block, stdin)) > 0) {
        for (size_t at = 0; at < count; at++)
            wrong += block[at] != (unsigned char)(bytes + at);
        bytes += count;
    }
    printf("Content-Type: text/plain\n\n%ld blocks, %ld wrong", bytes >> 20, wrong);
    return 0;
}
