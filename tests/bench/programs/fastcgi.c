/* libfcgi's hello world, with threads: fastcgi-c THREADS, its listening socket as descriptor 0. */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>

static void *work(void *unused) {
    FCGX_Request request;
    FCGX_InitRequest(&request, 0, 0);
    /* A kept connection stays with its thread: Accept_r waits for the next request on it. */
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutS("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!", request.out);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 1;
    FCGX_Init();
    for (int thread = 1; thread < threads; thread++) {
        pthread_t handle;
        pthread_create(&handle, NULL, work, NULL);
    }
    work(NULL);
    return 0;
}
