/*
 * errno of the sysroot's libc, which is built for one thread: one variable for the whole process. Its header declares a
 * thread-local one, which code compiled with -pthread could not be linked to.
 */
#ifndef GODWIT_ERRNO_H
#define GODWIT_ERRNO_H

#include_next <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

int *__errno_location(void);

#ifdef __cplusplus
}
#endif

#undef errno
#define errno (*__errno_location())

#endif
