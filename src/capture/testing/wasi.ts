/** As much of preview 1 as programs need that compute and print: arguments, environment, clocks, and output. */

export class ProgramExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

const ERRNO_BADF = 8;
const ERRNO_NOSYS = 52;
const CHARACTER_DEVICE = 2;

export interface Shim {
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** The memory of the instance that runs now. */
  readonly memory: () => WebAssembly.Memory;
  readonly stdout: (bytes: Uint8Array) => void;
}

/** Time does not pass and random numbers are not random: every run of a program is the same. */
export function wasiShim({ args, env, memory, stdout }: Shim): Record<string, (...values: never[]) => unknown> {
  const view = (): DataView => new DataView(memory().buffer);
  const encoder = new TextEncoder();
  const strings = (list: readonly string[]): Uint8Array[] => list.map((text) => encoder.encode(`${text}\0`));
  const sizes = (list: readonly string[]) => (count: number, size: number) => {
    view().setUint32(count, list.length, true);
    view().setUint32(
      size,
      strings(list).reduce((sum, bytes) => sum + bytes.length, 0),
      true,
    );
    return 0;
  };
  const get = (list: readonly string[]) => (pointers: number, buffer: number) => {
    let at = buffer;
    for (const [i, bytes] of strings(list).entries()) {
      view().setUint32(pointers + 4 * i, at, true);
      new Uint8Array(memory().buffer).set(bytes, at);
      at += bytes.length;
    }
    return 0;
  };
  const known: Record<string, (...values: never[]) => unknown> = {
    args_sizes_get: sizes(args),
    args_get: get(args),
    environ_sizes_get: sizes(env),
    environ_get: get(env),
    clock_time_get: (_id: number, _precision: bigint, result: number) => {
      view().setBigUint64(result, 1_000_000_000n, true);
      return 0;
    },
    random_get: (buffer: number, length: number) => {
      new Uint8Array(memory().buffer).fill(7, buffer, buffer + length);
      return 0;
    },
    fd_write: (fd: number, vectors: number, count: number, written: number) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const [at, size] = [view().getUint32(vectors + 8 * i, true), view().getUint32(vectors + 8 * i + 4, true)];
        if (fd === 1) stdout(new Uint8Array(memory().buffer).slice(at, at + size));
        total += size;
      }
      view().setUint32(written, total, true);
      return 0;
    },
    fd_fdstat_get: (fd: number, result: number) => {
      if (fd > 2) return ERRNO_BADF;
      new Uint8Array(memory().buffer).fill(0, result, result + 24);
      view().setUint8(result, CHARACTER_DEVICE);
      return 0;
    },
    fd_close: (fd: number) => (fd > 2 ? ERRNO_BADF : 0),
    fd_prestat_get: () => ERRNO_BADF,
    proc_exit: (status: number) => {
      throw new ProgramExit(status);
    },
  };
  return new Proxy(known, { get: (calls, name) => calls[String(name)] ?? ((): number => ERRNO_NOSYS) });
}
