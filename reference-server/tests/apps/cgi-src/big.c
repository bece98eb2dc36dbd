/* Gives as many blocks of 1 MiB as the query string says. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static unsigned char block[1 << 20];
    for (int i = 0; i < 1 << 20; i++)
        block[i] = (unsigned char)i;
    printf("Content-Type: application/octet-stream\n\n");
    for (int count = atoi(getenv("QUERY_STRING")); count > 0; count--)
        if (fwrite(block, sizeof block, 1, stdout) != 1)
            return 1;
    return 0;
}
