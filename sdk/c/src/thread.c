/*
 * Threads: each is an instance of the module of its own, on the same memory, that the host starts on request
 * (`wasi` `thread-spawn`). A new instance has the stack pointer of the initial thread and no data of its own, so its
 * first instructions are written by hand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>

#include "internal.h"

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int spawn(struct __pthread *thread);

void godwit_run_thread(int id, struct __pthread *thread);

_Static_assert(offsetof(struct __pthread, stack) == 0 && offsetof(struct __pthread, tls) == 4 &&
                   offsetof(struct __pthread, ended) == 8,
               "the offsets in the code below");

/*
 * The end is told by code that needs no stack: whoever waits for it frees the stack.
 */
__attribute__((naked, export_name("wasi_thread_start"))) void wasi_thread_start(int id, struct __pthread *thread) {
  __asm__ volatile(
      ".globaltype __stack_pointer, i32\n"
      ".functype __wasm_init_tls (i32) -> ()\n"
      ".functype godwit_run_thread (i32, i32) -> ()\n"
      "local.get 1\n"
      "i32.load 0\n"
      "global.set __stack_pointer\n"
      "local.get 1\n"
      "i32.load 4\n"
      "call __wasm_init_tls\n"
      "local.get 0\n"
      "local.get 1\n"
      "call godwit_run_thread\n"
      "local.get 1\n"
      "i32.const 1\n"
      "i32.atomic.store 8\n"
      "local.get 1\n"
      "i32.const -1\n"
      "memory.atomic.notify 8\n"
      "drop\n"
      "return\n");
}

static struct __pthread initial;
static _Thread_local struct __pthread *self = &initial;

/* Threads besides the initial one. */
static atomic_int others;

/* Detached threads whose blocks have not been freed yet. */
static atomic_int detached_lock;
static struct __pthread *detached;

pthread_t pthread_self(void) { return self; }

#undef pthread_equal
int pthread_equal(pthread_t a, pthread_t b) { return a == b; }

static void add_detached(struct __pthread *thread) {
  word_lock(&detached_lock);
  thread->next = detached;
  detached = thread;
  word_unlock(&detached_lock);
}

static void free_detached(void) {
  struct __pthread *ended = NULL;
  word_lock(&detached_lock);
  for (struct __pthread **at = &detached; *at != NULL;) {
    struct __pthread *thread = *at;
    if (atomic_load(&thread->ended)) {
      *at = thread->next;
      thread->next = ended;
      ended = thread;
    } else {
      at = &thread->next;
    }
  }
  word_unlock(&detached_lock);
  while (ended != NULL) {
    struct __pthread *thread = ended;
    ended = thread->next;
    free(thread);
  }
}

/* What libc sets up when it is first needed, without a lock. Absent if the program does not need it. */
__attribute__((weak)) void __wasilibc_populate_preopens(void);
__attribute__((weak)) void __wasilibc_ensure_environ(void);

static void set_up_libc(void) {
  if (__wasilibc_populate_preopens) __wasilibc_populate_preopens();
  if (__wasilibc_ensure_environ) __wasilibc_ensure_environ();
}

static size_t rounded_up(size_t size, size_t alignment) { return (size + alignment - 1) & -alignment; }

enum { STACK_ALIGNMENT = 16 };

/* One block: the record, the thread's own data, the stack, which grows down towards them. */
static struct __pthread *make(size_t stack_bytes) {
  size_t alignment = __builtin_wasm_tls_align();
  if (alignment < STACK_ALIGNMENT) alignment = STACK_ALIGNMENT;
  size_t head = sizeof(struct __pthread) + alignment + rounded_up(__builtin_wasm_tls_size(), STACK_ALIGNMENT);
  if (stack_bytes > PTRDIFF_MAX - head - 2 * STACK_ALIGNMENT) return NULL;
  size_t bytes = rounded_up(head + stack_bytes + STACK_ALIGNMENT, STACK_ALIGNMENT);
  struct __pthread *thread = malloc(bytes);
  if (thread == NULL) return NULL;
  *thread = (struct __pthread){0};
  uintptr_t start = (uintptr_t)thread;
  thread->tls = (void *)rounded_up(start + sizeof *thread, alignment);
  thread->stack = (void *)((start + bytes) & -(uintptr_t)STACK_ALIGNMENT);
  return thread;
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict argument) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_up_libc);
  free_detached();
  pthread_attr_t defaults;
  if (attributes == NULL) {
    pthread_attr_init(&defaults);
    attributes = &defaults;
  }
  size_t stack_bytes;
  int detach;
  pthread_attr_getstacksize(attributes, &stack_bytes);
  pthread_attr_getdetachstate(attributes, &detach);
  struct __pthread *made = make(stack_bytes);
  if (made == NULL) return EAGAIN;
  made->run = run;
  made->argument = argument;
  atomic_store(&made->state, detach == PTHREAD_CREATE_DETACHED ? DETACHED : JOINABLE);
  *thread = made;
  atomic_fetch_add(&others, 1);
  if (spawn(made) < 0) {
    atomic_fetch_sub(&others, 1);
    free(made);
    return EAGAIN;
  }
  if (detach == PTHREAD_CREATE_DETACHED) add_detached(made);
  return 0;
}

__attribute__((used)) void godwit_run_thread(int id, struct __pthread *thread) {
  (void)id;
  self = thread;
  jmp_buf exit;
  thread->exit = &exit;
  if (setjmp(exit) == 0) thread->result = thread->run(thread->argument);
  run_key_destructors();
  if (atomic_fetch_sub(&others, 1) == 1) word_wake_all(&others);
}

_Noreturn void pthread_exit(void *result) {
  struct __pthread *thread = self;
  thread->result = result;
  while (thread->cleanup != NULL) _pthread_cleanup_pop(thread->cleanup, 1);
  if (thread != &initial) longjmp(*(jmp_buf *)thread->exit, 1);
  run_key_destructors();
  atomic_store(&initial.ended, 1);
  word_wake_all(&initial.ended);
  for (int left; (left = atomic_load(&others)) > 0;) word_wait(&others, left, FOREVER);
  exit(EXIT_SUCCESS);
}

int pthread_join(pthread_t thread, void **result) {
  if (thread == self) return EDEADLK;
  int state = JOINABLE;
  if (!atomic_compare_exchange_strong(&thread->state, &state, JOINED)) return EINVAL;
  while (!atomic_load(&thread->ended)) word_wait(&thread->ended, 0, FOREVER);
  if (result != NULL) *result = thread->result;
  if (thread != &initial) free(thread);
  return 0;
}

int pthread_detach(pthread_t thread) {
  int state = JOINABLE;
  if (!atomic_compare_exchange_strong(&thread->state, &state, DETACHED)) return EINVAL;
  if (thread != &initial) add_detached(thread);
  return 0;
}

void _pthread_cleanup_push(struct __ptcb *entry, void (*run)(void *), void *argument) {
  *entry = (struct __ptcb){run, argument, self->cleanup};
  self->cleanup = entry;
}

void _pthread_cleanup_pop(struct __ptcb *entry, int execute) {
  self->cleanup = entry->__next;
  if (execute) entry->__f(entry->__x);
}
