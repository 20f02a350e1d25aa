/**
 * docs/SYSCALLS.md, made from the table.
 */
import { LIMITS } from '../base/limits.ts';
import { ERRNO } from './errno.ts';
import type { ParamKind, ResultKind } from './kinds.ts';
import { CALL_NAMES, PREVIEW1 } from './preview1.ts';
import type { Preview1Name } from './preview1.ts';
import { shapeOf, type Signature } from './signature.ts';
import {
  MAX_THREAD_ID,
  THREAD_ENTRY,
  THREAD_ENTRY_TYPE,
  THREAD_SPAWN,
  THREAD_SPAWN_TYPE,
  THREADS_MODULE,
} from './wasi-threads.ts';
import { SIGNALS } from './signals.ts';

const PARAMS: { readonly [K in ParamKind]: string } = {
  u8: 'unsigned, 8 bits',
  u16: 'unsigned, 16 bits',
  u32: 'unsigned, 32 bits',
  u64: 'unsigned, 64 bits',
  s64: 'signed, 64 bits',
  fd: 'a descriptor',
  path: `pointer and length: UTF-8 without NUL, at most ${LIMITS.pathBytes} bytes`,
  inBuffers: `pointer to iovecs and their number (at most ${LIMITS.ioVectors}): bytes that the call takes`,
  outBuffers: `pointer to iovecs and their number (at most ${LIMITS.ioVectors}): room that the call fills`,
  outBytes: 'pointer and length: room that the call fills',
  stringPointers: 'pointer to an array of pointers, one a string',
  stringBytes: 'pointer to room for the strings, each with a NUL behind it',
  subscriptions: 'pointer to an array of subscriptions',
  events: 'pointer to room for as many events',
  pollCount: `the number of subscriptions, 1 to ${LIMITS.pollSubscriptions}`,
};

const RESULTS: { readonly [K in ResultKind]: string } = {
  size: 'unsigned, 32 bits',
  u16: 'unsigned, 16 bits',
  u64: 'unsigned, 64 bits',
  fd: 'a descriptor',
  fdstat: 'witx `fdstat`, 24 bytes',
  filestat: 'witx `filestat`, 64 bytes',
  prestat: 'witx `prestat`, 8 bytes',
};

const RUNS: { readonly [K in (typeof PREVIEW1)[Preview1Name]['runs']]: string } = {
  here: 'where the process is',
  home: 'on the home node',
  descriptor:
    'in the process’s own thread if the descriptor is a regular file of that node, otherwise on the home node',
};

/** @returns docs/SYSCALLS.md as text */
export function renderSyscalls(): string {
  return [
    '# System calls',
    '<!-- Generated from src/abi/preview1.ts by `node scripts/docs.mjs`; do not edit. -->',
    `Programs import these ${CALL_NAMES.length} functions from \`wasi_snapshot_preview1\`. Each returns an errno (i32, 0 for`,
    'success), except for `proc_exit`, which does not come back.',
    '',
    table(['call', 'parameters', 'results', 'type', 'runs', 'waits'], CALL_NAMES.map(callRow)),
    '## Threads',
    `Programs for wasi-threads also import \`${THREADS_MODULE}\`.\`${THREAD_SPAWN}\`, ${typeText(THREAD_SPAWN_TYPE)}: it starts a thread, whose`,
    `\`${THREAD_ENTRY}\`, ${typeText(THREAD_ENTRY_TYPE)}, gets its id and the argument. The result is the id, from 1 to ${MAX_THREAD_ID},`,
    `or -${ERRNO.again} (EAGAIN) if the process has ${LIMITS.threads} threads already or its node has no room for one more. It is carried out`,
    'where the process is. From its first thread on, a process makes all file calls through the kernel.',
    '',
    '## Where calls run',
    table(['', ''], Object.entries(RUNS)),
    'A call that may wait does so for input, room, a connection, the other end of a named pipe, the disk, or a time. On',
    'a standard stream the other such calls, on its position, state, size, times and contents, wait for the answer of the',
    'side where the program was started. A process moves while it waits, and the answer follows it.',
    '',
    '## Parameters',
    'A pointer or length outside memory is `fault`, and the call has then had no effect: this is checked before it is',
    'carried out. Too many iovecs, or more than 2^32 - 1 bytes in all, are `inval`; a path that is too long is',
    '`nametoolong`, one that is not UTF-8 `ilseq`, one with NUL `inval`. Pointers need no alignment.',
    '',
    table(['kind', 'meaning'], Object.entries(PARAMS)),
    '## Results',
    'Written through pointers behind the parameters, in this order.',
    '',
    table(['kind', 'meaning'], Object.entries(RESULTS)),
    '## While a process is away from home',
    `A call that runs at home takes one round trip. At most ${LIMITS.homeCallBytes} bytes of buffers travel with it, so reads and`,
    'writes may be shorter than asked for, as POSIX allows.',
    '',
    '## Error numbers',
    table(
      ['number', 'name'],
      Object.entries(ERRNO).map(([name, errno]) => [String(errno), `E${name.toUpperCase()}`]),
    ),
    '## Signals',
    'Users and exit statuses (128 + number) use Linux’s numbers; `proc_raise` uses those of preview 1.',
    '',
    table(
      ['name', 'number', 'preview 1', 'unless handled'],
      SIGNALS.map(({ name, number, witx, action }) => [`SIG${name}`, String(number), String(witx ?? ''), action]),
    ),
  ].join('\n');
}

function callRow(name: Preview1Name): readonly string[] {
  const { params, results, signature } = shapeOf(name);
  const { runs, blocks } = PREVIEW1[name];
  return [`\`${name}\``, places(params), places(results), typeText(signature), runs, blocks ? 'may wait' : ''];
}

const typeText = ({ params, results }: Signature): string => `(${params.join(' ')}) → (${results.join(' ')})`;

function places(list: readonly { readonly name: string; readonly kind: string }[]): string {
  return list.map(({ name, kind }) => `${name}: ${kind}`).join(', ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return `${[row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
