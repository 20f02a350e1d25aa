/** `npm run bench -- NAME`: runs one benchmark and prints its rows, as a table or as JSON. */
import { parseArgs } from 'node:util';
import { GodwitError, messageOf } from '../src/base/errors.ts';
import type { Benchmark, Context, Row } from './benchmark.ts';
import { BENCHMARKS } from './benchmarks.ts';
import { describeMachine, load, machineText, nodeVersions } from './machine.ts';
import { checkOperands } from './operands.ts';
import { table } from './table.ts';

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  rounds: { type: 'string' },
  limit: { type: 'string' },
  tiny: { type: 'boolean' },
} as const;

const USAGE = `usage: npm run bench -- NAME [OPTIONS] [OPERANDS...]

${BENCHMARKS.map(({ name, operands, summary }) => `  ${`${name} ${operands}`.trim().padEnd(34)}${summary}`).join('\n')}

  --json          {machine, node, rows: [...]} on standard output
  --rounds N      measure every side N times in turn (default 3)
  --limit S       stop after S seconds with the rows that are there
  --tiny          smallest sizes, one round: shows that everything works, its times mean nothing
Options stand before the operands; --json may also stand at the very end, unless -- stands before the operands.
Progress goes to standard error.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    // Node's has a second sentence with advice on positional arguments, and may have several lines.
    return usage(messageOf(error).split(/\. |\n/)[0]!);
  }
  const { values, name, operands } = parsed;
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const benchmark = BENCHMARKS.find((known) => known.name === name);
  if (benchmark === undefined) return usage(name === undefined ? 'no benchmark is named' : unknownBenchmark(name));
  const rounds = positive(values.rounds ?? (values.tiny === true ? '1' : '3'));
  const limit = positive(values.limit ?? String(benchmark.limit));
  if (rounds === null || limit === null) return usage('--rounds and --limit take whole numbers from 1');
  try {
    checkOperands(benchmark, operands);
  } catch (error) {
    return refused(error);
  }
  const interrupted = new AbortController();
  // Once: a second Ctrl-C ends it at once.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  const signal = AbortSignal.any([AbortSignal.timeout(limit * 1000), interrupted.signal]);
  return measure(benchmark, { operands, rounds, tiny: values.tiny === true, signal, note }, values.json === true);
}

async function measure(benchmark: Benchmark, context: Context, json: boolean): Promise<number> {
  const loadBefore = load();
  const rows: Row[] = [];
  let complete = true;
  try {
    for await (const row of benchmark.run(context)) {
      rows.push(row);
      context.note(table(benchmark.columns, [row]).split('\n')[1] ?? '');
    }
  } catch (error) {
    if (!context.signal.aborted) return refused(error);
  }
  if (context.signal.aborted) {
    complete = false;
    context.note('interrupted, or the time is over (--limit): not all was measured');
  }
  const machine = describeMachine(loadBefore);
  const node = nodeVersions();
  if (json) console.log(JSON.stringify({ machine, node, rows }, null, 2));
  else console.log(`\n${machineText(machine, node)}\n\n${table(benchmark.columns, rows)}`);
  return complete ? 0 : 1;
}

/** Options end at the first operand: what follows belongs to the benchmark (overhead gives it to the program). */
function parse(args: readonly string[]) {
  const { tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const operand = tokens.filter(({ kind }) => kind === 'positional')[1]?.index ?? args.length;
  const { values, positionals } = parseArgs({ args: args.slice(0, operand), options: OPTIONS, allowPositionals: true });
  const operands = args.slice(operand);
  if (operands.at(-1) === '--json' && args[operand - 1] !== '--') {
    operands.pop();
    values.json = true;
  }
  return { values, name: positionals[0], operands };
}

function positive(text: string): number | null {
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : null;
}

function unknownBenchmark(name: string): string {
  return `there is no benchmark ${name}; there are ${BENCHMARKS.map((known) => known.name).join(', ')}`;
}

function usage(message: string): number {
  note(`bench: ${message}; "npm run bench -- --help" shows how`);
  return 2;
}

/** One line for what is not our mistake, with the status that `godwit` has for it. */
function refused(error: unknown): number {
  if (!(error instanceof GodwitError)) throw error;
  note(`bench: ${error.message}`);
  return error.exitStatus;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
