/** What a node says of the machine that it runs on. */
import { arch, availableParallelism, freemem, platform, totalmem } from 'node:os';

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
