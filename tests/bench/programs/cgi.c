/* The least that a CGI program does: print the answer. */
#include <unistd.h>

int main(void) {
    static const char answer[] = "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    return write(1, answer, sizeof answer - 1) == sizeof answer - 1 ? 0 : 1;
}
