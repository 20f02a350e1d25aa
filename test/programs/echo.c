/*
 * echo: every argument and environment variable in turn, as its length in bytes, its bytes in hexadecimal, and itself.
 * Not argument 0, which is whatever the program was started as.
 */
#include <stdio.h>
#include <string.h>

extern char **environ;

static void show(const char *kind, int index, const char *text) {
  printf("%s %d: %zu bytes", kind, index, strlen(text));
  for (const char *p = text; *p != '\0'; p++) printf(" %02x", (unsigned char)*p);
  printf(" %s\n", text);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) show("argument", i, argv[i]);
  for (int i = 0; environ != NULL && environ[i] != NULL; i++) show("variable", i, environ[i]);
  return 0;
}
