/* Writes 1 MiB before it reads anything, then says how much it has read. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    static char block[65536];
    long read_bytes = 0;
    ssize_t count;
    printf("Content-Type: application/octet-stream\n\n");
    for (int i = 0; i < 16; i++)
        fwrite(block, 1, sizeof block, stdout);
    fflush(stdout);
    while ((count = read(0, block, sizeof block)) > 0)
        read_bytes += count;
    printf("%ld", read_bytes);
    return 0;
}
