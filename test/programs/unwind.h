/*
 * As much of the C++ runtime for exceptions as a program in one file needs, since the library at hand is built without:
 * types match if they are the same, an exception is destroyed by the last handler that ends. The formats are those of the
 * Itanium C++ ABI and of LLVM's tables for WebAssembly (libcxxabi, cxa_personality.cpp).
 */
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <typeinfo>

__asm__(
    ".globl __cpp_exception\n"
    ".tagtype __cpp_exception i32\n"
    "__cpp_exception:\n");

struct Exception {
  const std::type_info *type;
  void *(*destroy)(void *); /* destructors return their object here */
  int handlers;
  bool rethrown;
  Exception *before; /* caught by a handler around the one of this */
  alignas(16) char object[];
};

static Exception *caught = nullptr;

extern "C" {

struct {
  uint32_t landing_pad;
  const uint8_t *table;
  uint32_t selector;
} __wasm_lpad_context;

void *__cxa_allocate_exception(size_t size) noexcept {
  auto *made = static_cast<Exception *>(std::calloc(1, sizeof(Exception) + size));
  return made->object;
}

static Exception *header_of(void *object) {
  return reinterpret_cast<Exception *>(static_cast<char *>(object) - offsetof(Exception, object));
}

void __cxa_free_exception(void *object) noexcept { std::free(header_of(object)); }

[[noreturn]] void __cxa_throw(void *object, std::type_info *type, void *(*destroy)(void *)) {
  Exception *exception = header_of(object);
  exception->type = type;
  exception->destroy = destroy;
  __builtin_wasm_throw(0, exception);
}

void *__cxa_begin_catch(void *thrown) noexcept {
  auto *exception = static_cast<Exception *>(thrown);
  if (exception->handlers++ == 0) {
    exception->before = caught;
    caught = exception;
  }
  exception->rethrown = false;
  return exception->object;
}

void *__cxa_get_exception_ptr(void *thrown) noexcept { return static_cast<Exception *>(thrown)->object; }

void __cxa_end_catch() {
  Exception *exception = caught;
  if (--exception->handlers > 0) return;
  caught = exception->before;
  if (exception->rethrown) return;
  if (exception->destroy != nullptr) exception->destroy(exception->object);
  std::free(exception);
}

[[noreturn]] void __cxa_rethrow() {
  caught->rethrown = true;
  __builtin_wasm_throw(0, caught);
}

static uint32_t unsigned_number(const uint8_t *&at) {
  uint32_t value = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t byte = *at++;
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

static int32_t signed_number(const uint8_t *&at) {
  const uint8_t *start = at;
  uint32_t value = unsigned_number(at);
  int bits = 7 * static_cast<int>(at - start);
  return bits < 32 && (at[-1] & 0x40) != 0 ? static_cast<int32_t>(value | ~0u << bits) : static_cast<int32_t>(value);
}

/* Sets the selector: which of the handler's types matches, 0 for none. */
int _Unwind_CallPersonality(void *thrown) {
  const auto *exception = static_cast<Exception *>(thrown);
  const uint8_t *at = __wasm_lpad_context.table;
  __wasm_lpad_context.selector = 0;
  if (*at++ != 0xff) std::abort();
  const uint8_t *types = nullptr;
  if (*at++ != 0xff) {
    uint32_t offset = unsigned_number(at);
    types = at + offset;
  }
  at++;
  uint32_t sites = unsigned_number(at);
  const uint8_t *actions = at + sites;
  uint32_t action = 0;
  for (uint32_t pad = 0; pad <= __wasm_lpad_context.landing_pad; pad++) {
    unsigned_number(at);
    action = unsigned_number(at);
  }
  if (action == 0) return 0;
  for (at = actions + action - 1;;) {
    int32_t index = signed_number(at);
    if (index > 0) {
      auto *type = reinterpret_cast<const std::type_info *const *>(types)[-index];
      if (type == nullptr || *type == *exception->type) {
        __wasm_lpad_context.selector = static_cast<uint32_t>(index);
        return 0;
      }
    }
    const uint8_t *from = at;
    int32_t next = signed_number(at);
    if (next == 0) return 0;
    at = from + next;
  }
}
}
