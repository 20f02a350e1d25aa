/** What a benchmark ran on, without anything that names the machine or its owner. */
import os from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gb: number;
  readonly os: string;
  readonly arch: string;
  /** Load average of one minute when the benchmark began and when it ended; 0 where the system has none. */
  readonly load_before: number;
  readonly load_after: number;
}

export interface NodeVersions {
  readonly version: string;
  readonly v8: string;
}

export function nodeVersions(): NodeVersions {
  return { version: process.version, v8: process.versions.v8 };
}

/** The load average of the last minute. */
export function load(): number {
  return os.loadavg()[0] ?? 0;
}

/** @param loadBefore the load average when the benchmark began */
export function describeMachine(loadBefore: number): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memory_gb: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.type()} ${os.release()}`,
    arch: os.arch(),
    load_before: loadBefore,
    load_after: load(),
  };
}

export function machineText(machine: Machine, node: NodeVersions): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${machine.os} ${machine.arch}`,
    `Node ${node.version}, V8 ${node.v8}; load ${machine.load_before.toFixed(2)} before, ${machine.load_after.toFixed(2)} after`,
  ].join('\n');
}
