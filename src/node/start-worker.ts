/** Starts the worker threads of a daemon. */
import { getCompileCacheDir } from 'node:module';
import path from 'node:path';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** What the file of a worker finds as its `workerData`. */
export interface WorkerData<T> {
  readonly main: string;
  readonly codeDirectory: string | null;
  readonly data: T;
}

/**
 * Each thread has to ask for the cache of compiled code itself (bin/main.js), before it loads what it is for; without,
 * starting one takes four times as long in a checkout. In plain JavaScript for the same reason as there.
 */
const ENTRY = `
  const { workerData } = require('node:worker_threads');
  if (workerData.codeDirectory) require('node:module').enableCompileCache(workerData.codeDirectory);
  import(workerData.main);
`;

/** @param file one in a directory beside this file, without ending @param data structured data for it */
export function startWorker(
  file: 'guests/guest-worker' | 'modules/rewriter',
  data: unknown = null,
  options: WorkerOptions = {},
): Worker {
  const main = new URL(`./${file}${path.extname(import.meta.url)}`, import.meta.url).href;
  // Node appends a directory for its version and its options, which may differ in a worker.
  const cache = getCompileCacheDir();
  const codeDirectory = cache === undefined ? null : path.dirname(cache);
  const workerData: WorkerData<unknown> = { main, codeDirectory, data };
  return new Worker(ENTRY, { ...options, eval: true, workerData });
}
