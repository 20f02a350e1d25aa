/** The worker that rewrites one module: gets the original bytes as its data, answers with a `RewriteAnswer`. */
import { parentPort, workerData } from 'node:worker_threads';
import { GodwitError, messageOf } from '../../base/errors.ts';
import { prepare } from '../../capture/running/prepare.ts';
import type { RewriteAnswer } from './modules.ts';
import type { WorkerData } from '../start-worker.ts';

function answer(): RewriteAnswer {
  try {
    return { type: 'done', module: new Uint8Array(prepare((workerData as WorkerData<Uint8Array>).data)) };
  } catch (error) {
    if (error instanceof GodwitError) return { type: 'failed', code: error.code, message: error.message };
    return { type: 'failed', code: 'internal', message: `the rewriter failed: ${messageOf(error)}` };
  }
}

const result = answer();
parentPort?.postMessage(result, result.type === 'done' ? [result.module.buffer] : []);
