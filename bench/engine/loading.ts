/** The process of `rewrite` that loads one program as a node does, and says what that took. Arguments: file, directory. */
import { readFileSync } from 'node:fs';
import { silentLog } from '../../src/base/env.ts';
import { rewrite } from '../../src/capture/rewriting/rewrite.ts';
import { ModuleStore } from '../../src/node/modules/modules.ts';
import { setEngineOptions } from '../../src/node/v8.ts';

export interface Loading {
  readonly ms: number;
  /** CPU time of all threads. */
  readonly cpuMs: number;
  /** The most memory that the process has had, its start included. */
  readonly peakMb: number;
  /** Bytes before and after, if the module was rewritten. */
  readonly bytes: readonly [number, number] | null;
}

setEngineOptions();
const [file = '', directory] = process.argv.slice(2);
const original = readFileSync(file);
const cpu = process.cpuUsage();
const begin = performance.now();
const bytes = directory === undefined ? onlyRewrite() : await load(directory);
const ms = performance.now() - begin;
const { user, system } = process.cpuUsage(cpu);
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000, peakMb, bytes } satisfies Loading));

function onlyRewrite(): [number, number] {
  return [original.length, rewrite(original).module.length];
}

/** From the directory, if it is there. */
async function load(kept: string): Promise<null> {
  await new ModuleStore(kept, silentLog).loadFile(file);
  return null;
}
