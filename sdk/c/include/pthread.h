/* The sysroot's header, and what it leaves out because WASI threads usually cannot do it. */
#ifndef GODWIT_PTHREAD_H
#define GODWIT_PTHREAD_H

#include_next <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From anywhere in a thread. In the initial thread it waits for all others and then ends the process with status 0. */
_Noreturn void pthread_exit(void *result);

#ifdef __cplusplus
}
#endif

#endif
