/** What a node says of the machine that it runs on. */
import { arch, availableParallelism, freemem, networkInterfaces, platform, totalmem } from 'node:os';

export interface MachineStatus {
  readonly arch: string;
  readonly os: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory_total: number;
  readonly memory_free: number;
}

/** A machine of which nothing is known, because its node does not answer. */
export const UNKNOWN_MACHINE: MachineStatus = { arch: '', os: '', cpus: 0, memory_total: 0, memory_free: 0 };

export function machineStatus(): MachineStatus {
  return {
    arch: arch(),
    os: platform(),
    cpus: availableParallelism(),
    memory_total: totalmem(),
    memory_free: freemem(),
  };
}

/**
 * An address under which other machines may reach this one, for a node that listens on all of them: IPv4 rather than
 * IPv6, which has more that lead nowhere. With several networks it may be that of another one: then --listen says more.
 * @param listens `both`: on `::`, which is all addresses of both families
 * @returns a loopback address if there is no other
 */
export function ownHost(listens: 'IPv4' | 'both'): string {
  const outside = Object.values(networkInterfaces()).flatMap((found) =>
    (found ?? []).filter(({ internal }) => !internal),
  );
  const global = outside.filter(({ address }) => !/^fe[89ab]/i.test(address));
  const best = global.find(({ family }) => family === 'IPv4') ?? (listens === 'both' ? global[0] : undefined);
  return best?.address ?? '127.0.0.1';
}
