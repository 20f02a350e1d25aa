/** The records of daemon.ts as bytes: for the control socket and for questions between nodes. */
import { amount, type Codec, list, oneOf, optional, str, struct, u32 } from '../../base/schema.ts';
import { NODE_STATES, PROCESS_STATES, type ProcessEnd } from '../daemon.ts';

export const processInfo = struct({
  pid: u32,
  ppid: u32,
  home: u32,
  node: u32,
  state: oneOf(...PROCESS_STATES),
  threads: u32,
  memory: amount,
  cpu_ms: amount,
  moves: u32,
  stay: list(str, 64),
  command: list(str),
});

export const nodeInfo = struct({
  id: u32,
  name: str,
  address: str,
  arch: str,
  os: str,
  state: oneOf(...NODE_STATES),
  cpus: u32,
  load: amount,
  memory_total: amount,
  memory_free: amount,
  processes: u32,
});

export const joinToken = struct({ token: str, address: str, expires: amount });

/** A codec of another shape: `fromInner` may refuse with GodwitError('protocol'). */
export function mapped<A, B>(inner: Codec<A>, toInner: (value: B) => A, fromInner: (value: A) => B): Codec<B> {
  return {
    type: inner.type,
    write: (w, v) => inner.write(w, toInner(v)),
    read: (r) => fromInner(inner.read(r)),
  };
}

export const processEnd: Codec<ProcessEnd> = mapped(
  struct({ how: oneOf('exited', 'signalled'), value: u32, message: optional(str) }),
  (end) => ({ how: end.how, value: end.how === 'exited' ? end.code : end.signal, message: end.message }),
  ({ how, value, message }) => (how === 'exited' ? { how, code: value, message } : { how, signal: value, message }),
);
