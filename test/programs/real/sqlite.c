/*
 * sqlite [ROWS] [FILE]: a database of orders, in memory or in a new file: inserts by prepared statements, an index,
 * joins, aggregates, windows, a recursive query, updates and deletes in a transaction, a rollback; prints what the
 * queries answer. Integers and text only: the output is the same on every machine.
 */
#include <string.h>
#include "../checksum.h"
#include "sqlite3.h"

static sqlite3 *database;
static uint64_t sum = CHECKSUM_START;

static void fail(const char *what) {
  fprintf(stderr, "sqlite: %s: %s\n", what, sqlite3_errmsg(database));
  exit(1);
}

static void run(const char *sql) {
  if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sql);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql);
  return statement;
}

static void step(sqlite3_stmt *statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) fail(sqlite3_sql(statement));
  sqlite3_reset(statement);
}

/* Takes all rows into the checksum; prints how many there were, and the first one. */
static void query(const char *name, const char *sql) {
  sqlite3_stmt *statement = prepare(sql);
  long rows = 0;
  int status;
  while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
    int columns = sqlite3_column_count(statement);
    if (rows++ == 0) printf("%s:", name);
    for (int i = 0; i < columns; i++) {
      const unsigned char *text = sqlite3_column_text(statement, i);
      size_t length = (size_t)sqlite3_column_bytes(statement, i);
      sum = checksum_add(checksum_add(sum, text, length), "|", 1);
      if (rows == 1) printf(" %s", text == NULL ? "NULL" : (const char *)text);
    }
  }
  if (status != SQLITE_DONE) fail(sql);
  printf(" (%ld rows)\n", rows);
  sqlite3_finalize(statement);
}

static void fill(long rows) {
  uint64_t state = 17;
  char text[64];
  sqlite3_stmt *customer = prepare("INSERT INTO customer VALUES (?, ?, ?)");
  sqlite3_stmt *order = prepare("INSERT INTO orders (customer, day, cents, note) VALUES (?, ?, ?, ?)");
  long customers = rows / 20 + 1;
  run("BEGIN");
  for (long i = 0; i < customers; i++) {
    snprintf(text, sizeof text, "customer %08x", (unsigned)random_next(&state));
    sqlite3_bind_int64(customer, 1, i);
    sqlite3_bind_text(customer, 2, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(customer, 3, (sqlite3_int64)(random_next(&state) >> 32) % 50);
    step(customer);
  }
  for (long i = 0; i < rows; i++) {
    snprintf(text, sizeof text, "%x of %x", (unsigned)random_next(&state) & 0xfff, (unsigned)random_next(&state));
    sqlite3_bind_int64(order, 1, (sqlite3_int64)(random_next(&state) >> 32) % customers);
    sqlite3_bind_int64(order, 2, (sqlite3_int64)(random_next(&state) >> 32) % 365);
    sqlite3_bind_int64(order, 3, (sqlite3_int64)(random_next(&state) >> 32) % 100000);
    sqlite3_bind_text(order, 4, text, -1, SQLITE_TRANSIENT);
    step(order);
  }
  run("COMMIT");
  sqlite3_finalize(customer);
  sqlite3_finalize(order);
}

int main(int argc, char **argv) {
  long rows = size_argument(argc, argv, 1, 200);
  if (sqlite3_open(argc > 2 ? argv[2] : ":memory:", &database) != SQLITE_OK) fail("open");
  run("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, region INTEGER NOT NULL);"
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer(id),"
      " day INTEGER NOT NULL, cents INTEGER NOT NULL, note TEXT);");
  fill(rows);
  run("CREATE INDEX by_customer ON orders (customer, day); CREATE INDEX by_day ON orders (day);");
  query("regions", "SELECT region, count(*), sum(cents) FROM orders JOIN customer ON customer.id = customer"
                   " GROUP BY region ORDER BY 3 DESC, 1");
  query("best", "SELECT name, sum(cents) AS total FROM customer JOIN orders ON orders.customer = customer.id"
                " WHERE day BETWEEN 100 AND 200 GROUP BY customer.id HAVING total > 1000 ORDER BY total DESC, name");
  query("running", "SELECT id, sum(cents) OVER (PARTITION BY customer ORDER BY day, id) FROM orders ORDER BY id");
  query("pairs", "SELECT count(*), sum(a.cents - b.cents) FROM orders a JOIN orders b"
                 " ON a.customer = b.customer AND a.day < b.day AND a.cents > b.cents");
  query("text", "SELECT upper(substr(note, 1, 3)) AS head, count(*), max(note) FROM orders"
                " WHERE note LIKE '%f%' AND note GLOB '*[a-c]*' GROUP BY head ORDER BY 2 DESC, 1");
  query("recursive", "WITH RECURSIVE days(day, total) AS (SELECT 0, 0 UNION ALL SELECT day + 1,"
                     " total + (SELECT coalesce(sum(cents), 0) FROM orders WHERE orders.day = days.day)"
                     " FROM days WHERE day < 364) SELECT day, total FROM days");
  run("BEGIN; UPDATE orders SET cents = cents + day WHERE customer % 3 = 0; DELETE FROM orders WHERE id % 7 = 0; COMMIT");
  run("BEGIN; DELETE FROM customer; ROLLBACK");
  query("left", "SELECT count(*), sum(cents), (SELECT count(*) FROM customer) FROM orders");
  query("check", "PRAGMA integrity_check");
  if (sqlite3_close(database) != SQLITE_OK) fail("close");
  checksum_print("sqlite", sum);
  return 0;
}
