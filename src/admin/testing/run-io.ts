/** What a client gives to a run, for tests. */
import type { RunIo, RunSpec, StdioKind, StdioPort } from '../../node/daemon.ts';
import { nullPort } from '../../node/null-stdio.ts';

export const spec = (program: string, more: Partial<RunSpec> = {}): RunSpec => ({
  program: `/${program}`,
  args: [program],
  env: [],
  cwd: '/',
  umask: 0o22,
  dirs: [],
  listen: [],
  pin: false,
  detach: false,
  hopMicros: null,
  node: null,
  ...more,
});

/** A stream of the client's side that gives `chunks`, one a pull and never more than asked, then ends. */
export function input(chunks: readonly string[], pulls: number[] = [], kind: StdioKind = 'pipe'): StdioPort {
  let left = chunks.map((chunk) => Buffer.from(chunk));
  return {
    ...nullPort('null'),
    kind,
    read(max, done) {
      pulls.push(max);
      const [first, ...rest] = left;
      const given = first?.subarray(0, max) ?? Buffer.alloc(0);
      left = first && first.length > max ? [first.subarray(max), ...rest] : rest;
      setImmediate(() => done({ value: given }));
    },
  };
}

export function output(): { readonly port: StdioPort; readonly text: () => string } {
  const parts: Buffer[] = [];
  const write: StdioPort['write'] = (bytes, done) => {
    parts.push(Buffer.from(bytes));
    setImmediate(() => done({ value: bytes.length }));
  };
  return { port: { ...nullPort('null'), kind: 'pipe', write }, text: () => Buffer.concat(parts).toString() };
}

export const io = (parts: Partial<RunIo> = {}): RunIo => ({
  stdin: nullPort('null'),
  stdout: nullPort('null'),
  stderr: nullPort('null'),
  terminal: null,
  ...parts,
});
