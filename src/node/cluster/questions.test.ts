import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../base/env.ts';
import { GodwitError } from '../../base/errors.ts';
import { nodeId } from '../../base/ids.ts';
import { type Answers, Questions } from './questions.ts';

const ASKER = nodeId(1);
const ANSWERER = nodeId(2);
const unused = (): never => assert.fail('not asked');
const noAnswers: Answers = { processes: unused, status: unused, kill: unused, wait: unused, token: unused };

/** A node that asks another one, which answers like that, and what the other one logs as errors. */
function pair(answers: Partial<Answers>) {
  const errors: unknown[] = [];
  const log = { ...silentLog, error: (_message: string, fields: unknown) => void errors.push(fields) };
  const asker: Questions = new Questions((_to, frame) => answerer.receive(ASKER, frame), noAnswers, silentLog);
  const answerer = new Questions((_to, frame) => asker.receive(ANSWERER, frame), { ...noAnswers, ...answers }, log);
  return { asker, errors };
}

test('a question is answered, or fails as the peer says', async () => {
  const { asker, errors } = pair({
    kill: () => Promise.resolve({}),
    wait: () => Promise.reject(new GodwitError('unknown_process', 'there is no process 9')),
  });
  assert.deepEqual(await asker.ask(ANSWERER, 'kill', { pid: 7, signal: 9 }), {});
  await assert.rejects(asker.ask(ANSWERER, 'wait', { pid: 9 }), {
    code: 'unknown_process',
    message: 'there is no process 9',
  });
  assert.deepEqual(errors, []);
});

test('a bug in an answer is told and logged, and is not thrown where nobody catches it', async () => {
  const { asker, errors } = pair({ kill: () => Promise.reject(new TypeError('x is undefined')) });
  await assert.rejects(asker.ask(ANSWERER, 'kill', { pid: 7, signal: 9 }), {
    code: 'internal',
    message: /x is undefined/,
  });
  assert.equal(errors.length, 1);
  assert.match(JSON.stringify(errors[0]), /"kill of node 1".*TypeError: x is undefined/);
});

test('questions to a node that is lost fail; only the patient ones wait while it is silent', async () => {
  const asker = new Questions(() => {}, noAnswers, silentLog);
  const status = asker.ask(ANSWERER, 'status', {});
  const kill = asker.ask(ANSWERER, 'kill', { pid: 7, signal: 9 });
  asker.unreachable(ANSWERER, 'silent');
  await assert.rejects(status, { code: 'node_down', message: 'silent' });
  asker.lost(ANSWERER, 'lost');
  await assert.rejects(kill, { code: 'node_down', message: 'lost' });
});
