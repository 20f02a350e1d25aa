/** The guest programs of the benchmarks that measure a whole node: bench/programs/. */
import path from 'node:path';
import { build } from '../test/support/build.ts';
import type { Fixture } from '../test/support/build.ts';

const directory = path.join(import.meta.dirname, 'programs');

/** Builds the program, or finds it in the cache. */
export function program(name: 'dirty' | 'homecall' | 'syscalls'): Promise<Fixture> {
  return build(directory, name, { source: `${name}.c` });
}
