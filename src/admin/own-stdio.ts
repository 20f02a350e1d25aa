/** The node's operations on the standard streams of this command, carried out and answered. */
import { ERRNO } from '../abi/errno.ts';
import { unreachable } from '../base/assert.ts';
import type { StdioPort } from '../node/daemon.ts';
import type { Settled } from '../vfs/openfile.ts';
import type { StdioName, ToClient, ToDaemon } from './protocol.ts';

/** What the node asks for: all messages that name a stream, but for the one about another of them. */
export type StdioOperation = Exclude<Extract<ToClient, { readonly fd: StdioName }>, { readonly kind: 'hurry' }>;

/** @param send is given the answer, once. What only a file can do fails with ENOTSUP on what is none. */
export function carryOut(message: StdioOperation, port: StdioPort, send: (answer: ToDaemon) => void): void {
  const { id } = message;
  const answer =
    <T>(good: (value: T) => ToDaemon) =>
    (result: Settled<T>): void =>
      send('errno' in result ? { kind: 'failed', id, errno: result.errno } : good(result.value));
  const data = answer((bytes: Uint8Array) => ({ kind: 'data', id, bytes }));
  const count = answer((count: number) => ({ kind: 'count', id, count }));
  const done = answer<void>(() => ({ kind: 'done', id }));
  switch (message.kind) {
    case 'pull':
      return port.read(message.max, data);
    case 'write':
      return port.write(message.bytes, count);
    case 'seek':
      return port.seek(
        message.offset,
        message.whence,
        answer((position) => ({ kind: 'position', id, position })),
      );
    case 'stat':
      return port.stat(answer((stat) => ({ kind: 'fileStat', id, stat })));
    default:
  }
  const { file } = port;
  if (file === undefined) return send({ kind: 'failed', id, errno: ERRNO.notsup });
  switch (message.kind) {
    case 'readAt':
      return file.readAt(message.offset, message.max, data);
    case 'writeAt':
      return file.writeAt(message.offset, message.bytes, count);
    case 'sync':
      return file.sync(message.dataOnly, done);
    case 'setSize':
      return file.setSize(message.size, done);
    case 'setTimes':
      return file.setTimes(message.atim, message.mtim, done);
    case 'allocate':
      return file.allocate(message.offset, message.length, done);
    default:
      return unreachable(message);
  }
}
