/** GODWIT_TRACE=pid prints what is said about a process, and what nodes learn of each other: for a seed that fails. */
import type { NodeId } from '../../base/ids.ts';
import type { Message } from '../hosts.ts';

const wanted = Number(process.env['GODWIT_TRACE'] ?? 0);

export function trace(now: number, line: string): void {
  if (wanted > 0) console.log(`${now.toFixed(1).padStart(10)} ${line}`);
}

export function traceMessage(now: number, from: NodeId, to: NodeId, message: Message): void {
  if (wanted === 0 || message.frame === 'image_chunk') return;
  const about = 'pid' in message ? message.pid === wanted : message.frame === 'holdings';
  if (!about) return;
  const text = JSON.stringify(message, (key, value: unknown) => {
    if (key === 'spec' || key === 'pid' || key === 'frame' || key === 'digest' || key === 'usage') return undefined;
    return typeof value === 'bigint' ? Number(value) : value;
  });
  trace(now, `${from} → ${to} ${message.frame} ${text}`);
}
