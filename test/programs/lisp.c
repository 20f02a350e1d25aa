/*
 * lisp fib|tak|queens|sort|deep|all [SIZE], or lisp FILE: an interpreter of a small Lisp.
 *
 * A form is read into cells, analysed into a tree of nodes that each know the function that runs them (so every step
 * is an indirect call and recursion of the program is recursion of the interpreter), and run. Memory is a fixed pool
 * of cells under a mark-and-sweep collector; C code keeps what it holds on an explicit root stack.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include "checksum.h"

/* A value is a fixnum (lowest bit 1) or a pointer to a cell; NIL is the empty list and false. */
typedef uintptr_t value;
enum kind { FREE, PAIR, SYMBOL, CLOSURE, BUILTIN };
struct cell {
  uint8_t kind;
  uint8_t marked;
  value car, cdr;
};
struct node;
typedef value (*runner)(const struct node *, value env);
struct node {
  runner run;
  value constant;
  int depth, index, count;
  struct node **parts;
};

#define NIL ((value)0)
#define IS_NUMBER(v) ((v) & 1)
#define NUMBER(n) (((value)(n) << 1) | 1)
#define TO_LONG(v) ((long)(intptr_t)(v) >> 1)
#define CELL(v) ((struct cell *)(v))
#define CAR(v) (CELL(v)->car)
#define CDR(v) (CELL(v)->cdr)
#define IS(v, k) ((v) != NIL && !IS_NUMBER(v) && CELL(v)->kind == (k))

#define POOL 40000
#define ROOTS 60000
static struct cell pool[POOL];
static struct cell *free_cells;
static value roots[ROOTS];
static int root_count;
static long collections;
static uint64_t sum = CHECKSUM_START;

static void die(const char *why) {
  fprintf(stderr, "lisp: %s\n", why);
  exit(1);
}

/* ---- memory ---- */

static void keep(value v) {
  if (root_count == ROOTS) die("root stack is full");
  roots[root_count++] = v;
}

static void mark(value v) {
  while (v != NIL && !IS_NUMBER(v) && !CELL(v)->marked) {
    CELL(v)->marked = 1;
    if (CELL(v)->kind == BUILTIN) return;
    /* A closure's car and a symbol's car are not values but a node and a name. */
    if (CELL(v)->kind == PAIR) mark(CAR(v));
    v = CDR(v);
  }
}

static value symbols; /* list of all symbols; a symbol is (name . global value) */

static void collect(void) {
  collections++;
  mark(symbols);
  for (int i = 0; i < root_count; i++) mark(roots[i]);
  free_cells = NULL;
  for (struct cell *c = pool; c < pool + POOL; c++) {
    if (!c->marked) {
      c->kind = FREE;
      c->cdr = (value)free_cells;
      free_cells = c;
    }
    c->marked = 0;
  }
  if (free_cells == NULL) die("out of cells");
}

static value make(enum kind kind, value car, value cdr) {
  if (free_cells == NULL) {
    int before = root_count;
    if (kind == PAIR) keep(car);
    if (kind != BUILTIN) keep(cdr);
    collect();
    root_count = before;
  }
  struct cell *c = free_cells;
  free_cells = (struct cell *)c->cdr;
  c->kind = kind;
  c->car = car;
  c->cdr = cdr;
  return (value)c;
}

static value cons(value car, value cdr) { return make(PAIR, car, cdr); }

static value intern(const char *name) {
  for (value s = symbols; s != NIL; s = CDR(s)) {
    if (strcmp((const char *)CAR(CAR(s)), name) == 0) return CAR(s);
  }
  value symbol = make(SYMBOL, (value)strdup(name), NIL);
  symbols = cons(symbol, symbols);
  return symbol;
}

/* ---- reader ---- */

static const char *source;

static int peek(void) {
  while (isspace((unsigned char)*source) || *source == ';') {
    if (*source == ';') {
      while (*source != '\0' && *source != '\n') source++;
    } else {
      source++;
    }
  }
  return *source;
}

static value read_form(void);

static value read_list(void) {
  if (peek() == ')') {
    source++;
    return NIL;
  }
  if (peek() == '\0') die("a list is not closed");
  int before = root_count;
  value first = read_form();
  keep(first);
  value rest = read_list();
  root_count = before;
  return cons(first, rest);
}

static value read_form(void) {
  int c = peek();
  if (c == '(') {
    source++;
    return read_list();
  }
  if (c == '\'') {
    source++;
    value quoted = cons(read_form(), NIL);
    keep(quoted);
    value form = cons(intern("quote"), quoted);
    root_count--;
    return form;
  }
  char name[64];
  size_t length = 0;
  while (*source != '\0' && !isspace((unsigned char)*source) && *source != '(' && *source != ')') {
    if (length + 1 == sizeof name) die("a name is too long");
    name[length++] = *source++;
  }
  if (length == 0) die("an unexpected )");
  name[length] = '\0';
  char *end;
  long n = strtol(name, &end, 10);
  return *end == '\0' ? NUMBER(n) : intern(name);
}

/* ---- running: one function a kind of node ---- */

static value run(const struct node *n, value env) { return n->run(n, env); }

static value run_constant(const struct node *n, value env) {
  (void)env;
  return n->constant;
}

static value *local_place(const struct node *n, value env) {
  for (int i = 0; i < n->depth; i++) env = CDR(env);
  value frame = CAR(env);
  for (int i = 0; i < n->index; i++) frame = CDR(frame);
  return &CAR(frame);
}

static value run_local(const struct node *n, value env) { return *local_place(n, env); }

static value run_global(const struct node *n, value env) {
  (void)env;
  return CDR(n->constant);
}

static value run_set_local(const struct node *n, value env) {
  value v = run(n->parts[0], env);
  return *local_place(n, env) = v;
}

static value run_set_global(const struct node *n, value env) { return CDR(n->constant) = run(n->parts[0], env); }

static value run_if(const struct node *n, value env) {
  if (run(n->parts[0], env) != NIL) return run(n->parts[1], env);
  return n->count > 2 ? run(n->parts[2], env) : NIL;
}

static value run_sequence(const struct node *n, value env) {
  value v = NIL;
  for (int i = 0; i < n->count; i++) v = run(n->parts[i], env);
  return v;
}

static value run_while(const struct node *n, value env) {
  while (run(n->parts[0], env) != NIL) {
    for (int i = 1; i < n->count; i++) run(n->parts[i], env);
  }
  return NIL;
}

static value run_lambda(const struct node *n, value env) { return make(CLOSURE, (value)n, env); }

typedef value (*builtin)(value arguments);

static value apply(value f, value arguments) {
  if (IS(f, BUILTIN)) return ((builtin)CAR(f))(arguments);
  if (!IS(f, CLOSURE)) die("not a function");
  const struct node *lambda = (const struct node *)CAR(f);
  int before = root_count;
  keep(f);
  value env = cons(arguments, CDR(f));
  keep(env);
  value result = run(lambda->parts[0], env);
  root_count = before;
  return result;
}

static value run_call(const struct node *n, value env) {
  int before = root_count;
  value f = run(n->parts[0], env);
  keep(f);
  keep(NIL);
  int place = root_count - 1;
  for (int i = n->count - 1; i > 0; i--) {
    value argument = run(n->parts[i], env);
    roots[place] = cons(argument, roots[place]);
  }
  value result = apply(f, roots[place]);
  root_count = before;
  return result;
}

/* ---- analysis: forms to nodes ---- */

static struct node *analyse(value form, value scope);

static struct node *new_node(runner run, int count) {
  struct node *n = calloc(1, sizeof *n);
  n->run = run;
  n->count = count;
  n->parts = calloc((size_t)count + 1, sizeof *n->parts);
  return n;
}

static int list_length(value list) {
  int n = 0;
  for (; IS(list, PAIR); list = CDR(list)) n++;
  return n;
}

static struct node *analyse_all(runner run, value forms, value scope) {
  struct node *n = new_node(run, list_length(forms));
  for (int i = 0; i < n->count; i++, forms = CDR(forms)) n->parts[i] = analyse(CAR(forms), scope);
  return n;
}

static struct node *analyse_name(value symbol, value scope, runner local, runner global) {
  int depth = 0;
  for (; scope != NIL; scope = CDR(scope), depth++) {
    int index = 0;
    for (value p = CAR(scope); p != NIL; p = CDR(p), index++) {
      if (CAR(p) != symbol) continue;
      struct node *n = new_node(local, 1);
      n->depth = depth;
      n->index = index;
      return n;
    }
  }
  struct node *n = new_node(global, 1);
  n->constant = symbol;
  return n;
}

static struct node *analyse_lambda(value parameters, value body, value scope) {
  struct node *n = new_node(run_lambda, 1);
  value inner = cons(parameters, scope);
  keep(inner);
  n->parts[0] = analyse_all(run_sequence, body, inner);
  root_count--;
  return n;
}

static struct node *analyse_let(value form, value scope) {
  value names = NIL;
  int before = root_count;
  keep(NIL);
  int count = list_length(CAR(CDR(form)));
  struct node *n = new_node(run_call, count + 1);
  for (int i = count; i > 0; i--) {
    value binding = CAR(CDR(form));
    for (int j = 1; j < i; j++) binding = CDR(binding);
    names = roots[before] = cons(CAR(CAR(binding)), names);
    n->parts[i] = analyse(CAR(CDR(CAR(binding))), scope);
  }
  n->parts[0] = analyse_lambda(names, CDR(CDR(form)), scope);
  root_count = before;
  return n;
}

static struct node *analyse_assignment(value form, value scope) {
  value target = CAR(CDR(form));
  if (IS(target, PAIR)) {
    struct node *n = new_node(run_set_global, 1);
    n->constant = CAR(target);
    n->parts[0] = analyse_lambda(CDR(target), CDR(CDR(form)), scope);
    return n;
  }
  struct node *n = analyse_name(target, scope, run_set_local, run_set_global);
  n->parts[0] = analyse(CAR(CDR(CDR(form))), scope);
  return n;
}

static struct node *analyse(value form, value scope) {
  if (IS(form, SYMBOL)) return analyse_name(form, scope, run_local, run_global);
  if (!IS(form, PAIR)) {
    struct node *n = new_node(run_constant, 0);
    n->constant = form;
    return n;
  }
  const char *head = IS(CAR(form), SYMBOL) ? (const char *)CAR(CAR(form)) : "";
  if (strcmp(head, "quote") == 0) {
    struct node *n = new_node(run_constant, 0);
    n->constant = CAR(CDR(form));
    return n;
  }
  if (strcmp(head, "if") == 0) return analyse_all(run_if, CDR(form), scope);
  if (strcmp(head, "begin") == 0) return analyse_all(run_sequence, CDR(form), scope);
  if (strcmp(head, "while") == 0) return analyse_all(run_while, CDR(form), scope);
  if (strcmp(head, "lambda") == 0) return analyse_lambda(CAR(CDR(form)), CDR(CDR(form)), scope);
  if (strcmp(head, "let") == 0) return analyse_let(form, scope);
  if (strcmp(head, "define") == 0 || strcmp(head, "set!") == 0) return analyse_assignment(form, scope);
  return analyse_all(run_call, form, scope);
}

/* ---- builtins ---- */

static char line[256];

static void show(value v) {
  size_t used = strlen(line);
  if (IS_NUMBER(v)) {
    snprintf(line + used, sizeof line - used, "%ld", TO_LONG(v));
  } else if (IS(v, SYMBOL)) {
    snprintf(line + used, sizeof line - used, "%s", (const char *)CAR(v));
  } else if (v == NIL || IS(v, PAIR)) {
    strncat(line, "(", sizeof line - strlen(line) - 1);
    for (; v != NIL; v = CDR(v)) {
      show(CAR(v));
      if (CDR(v) != NIL) strncat(line, " ", sizeof line - strlen(line) - 1);
    }
    strncat(line, ")", sizeof line - strlen(line) - 1);
  }
}

static value b_print(value a) {
  line[0] = '\0';
  for (; a != NIL; a = CDR(a)) {
    show(CAR(a));
    strncat(line, CDR(a) == NIL ? "\n" : " ", sizeof line - strlen(line) - 1);
  }
  sum = checksum_add(sum, line, strlen(line));
  fputs(line, stdout);
  return NIL;
}

#define A TO_LONG(CAR(a))
#define B TO_LONG(CAR(CDR(a)))
static value truth(bool b) { return b ? NUMBER(1) : NIL; }
static value b_add(value a) { return NUMBER(A + B); }
static value b_sub(value a) { return NUMBER(A - B); }
static value b_mul(value a) { return NUMBER(A * B); }
static value b_div(value a) { return B == 0 ? NIL : NUMBER(A / B); }
static value b_mod(value a) { return B == 0 ? NIL : NUMBER(A % B); }
static value b_less(value a) { return truth(A < B); }
static value b_same(value a) { return truth(CAR(a) == CAR(CDR(a))); }
static value b_not(value a) { return truth(CAR(a) == NIL); }
static value b_cons(value a) { return cons(CAR(a), CAR(CDR(a))); }
static value b_car(value a) { return IS(CAR(a), PAIR) ? CAR(CAR(a)) : NIL; }
static value b_cdr(value a) { return IS(CAR(a), PAIR) ? CDR(CAR(a)) : NIL; }

static const struct {
  const char *name;
  builtin function;
} BUILTINS[] = {
    {"+", b_add},   {"-", b_sub},       {"*", b_mul},       {"/", b_div},     {"%", b_mod}, {"<", b_less},
    {"=", b_same},  {"not", b_not},     {"cons", b_cons},   {"car", b_car},   {"cdr", b_cdr}, {"print", b_print},
};

/* ---- the programs that are built in; `size` is defined before ---- */

static const struct {
  const char *name;
  long size;
  const char *text;
} PROGRAMS[] = {
    {"fib", 15, "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (print 'fib size (fib size))"},
    {"tak", 5,
     "(define (tak x y z) (if (not (< y x)) z (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y))))"
     "(print 'tak (tak (* 2 size) size 0))"},
    {"queens", 5,
     "(define (safe row distance placed)"
     "  (if placed"
     "    (let ((other (car placed)))"
     "      (if (= other row) '()"
     "        (if (= other (+ row distance)) '()"
     "          (if (= other (- row distance)) '() (safe row (+ distance 1) (cdr placed))))))"
     "    1))"
     "(define (place row column placed)"
     "  (if (< size row) 0"
     "    (+ (if (safe row 1 placed) (queens (+ column 1) (cons row placed)) 0) (place (+ row 1) column placed))))"
     "(define (queens column placed) (if (< size column) 1 (place 1 column placed)))"
     "(print 'queens size (queens 1 '()))"},
    {"sort", 60,
     "(define seed 12345)"
     "(define (next) (set! seed (% (+ (* (% seed 8191) 8121) 28411) 134456)))"
     "(define numbers '())"
     "(define i 0)"
     "(while (< i size) (set! numbers (cons (next) numbers)) (set! i (+ i 1)))"
     "(define (filter keep list) (if list"
     "  (if (keep (car list)) (cons (car list) (filter keep (cdr list))) (filter keep (cdr list))) '()))"
     "(define (append a b) (if a (cons (car a) (append (cdr a) b)) b))"
     "(define (sort list) (if list"
     "  (let ((pivot (car list)))"
     "    (append (sort (filter (lambda (x) (< x pivot)) (cdr list)))"
     "      (cons pivot (sort (filter (lambda (x) (not (< x pivot))) (cdr list))))))"
     "  '()))"
     "(define (digest list) (if list (% (+ (car list) (* 31 (digest (cdr list)))) 65521) 7))"
     "(define sorted (sort numbers))"
     "(print 'sort size (car sorted) (digest numbers) (digest sorted))"},
    {"deep", 300,
     "(define (deep n) (if (< n 1) 0 (+ 1 (deep (- n 1))))) (print 'deep (deep size))"},
};

static void run_text(const char *text) {
  source = text;
  while (peek() != '\0') {
    root_count = 0;
    value form = read_form();
    keep(form);
    /* The nodes of a function live on and use the constants of its form, so no form is ever given up. */
    value forms = intern("*forms*");
    CDR(forms) = cons(form, CDR(forms));
    run(analyse(form, NIL), NIL);
  }
}

static char *read_file(const char *name) {
  FILE *f = fopen(name, "r");
  if (f == NULL) die("no such program or file");
  size_t length = 0, room = 1024;
  char *text = malloc(room);
  for (size_t n; (n = fread(text + length, 1, room - length - 1, f)) > 0;) {
    length += n;
    if (length + 1 == room) text = realloc(text, room *= 2);
  }
  text[length] = '\0';
  fclose(f);
  return text;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "all";
  for (int i = POOL - 1; i >= 0; i--) {
    pool[i].cdr = (value)free_cells;
    free_cells = &pool[i];
  }
  for (size_t i = 0; i < sizeof BUILTINS / sizeof *BUILTINS; i++) {
    CDR(intern(BUILTINS[i].name)) = make(BUILTIN, (value)BUILTINS[i].function, NIL);
  }
  bool found = false;
  for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++) {
    if (strcmp(what, "all") != 0 && strcmp(what, PROGRAMS[i].name) != 0) continue;
    found = true;
    CDR(intern("size")) = NUMBER(size_argument(argc, argv, 2, PROGRAMS[i].size));
    run_text(PROGRAMS[i].text);
  }
  if (!found) run_text(read_file(what));
  printf("%ld collections\n", collections);
  checksum_print("lisp", sum);
  return 0;
}
