/**
 * Where the official core scripts are. They are not part of this repository: those of WebAssembly/testsuite at commit
 * 193e551, with the legacy exception scripts in `legacy/` and those of the threads proposal in `threads/`.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { planScript } from './plan.ts';
import type { Step } from './plan.ts';
import { readScript } from './script.ts';

const BESIDE = path.join(import.meta.dirname, '../../../shared/spec');

/** `GODWIT_SPEC`, or `../shared/spec` beside the repository; null if there is no such directory. */
export const SCRIPTS: string | null = [process.env['GODWIT_SPEC'] ?? BESIDE].find(isDirectory) ?? null;

/** What a test says that is skipped for want of the scripts. */
export const MISSING =
  'the core scripts are not here: set GODWIT_SPEC to a directory with those of WebAssembly/testsuite (CONTRIBUTING.md)';

function isDirectory(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @returns the scripts by their paths inside the directory, sorted; none if it is not there */
export function scriptNames(): string[] {
  if (SCRIPTS === null) return [];
  const files = readdirSync(SCRIPTS, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.wast'))
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort();
}

export function loadScript(name: string): Promise<Step[]> {
  return planScript(readScript(readFileSync(path.join(SCRIPTS ?? BESIDE, name), 'utf8')));
}
