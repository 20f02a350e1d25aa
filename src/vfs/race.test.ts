import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { errnoName } from '../abi/errno.ts';
import { HostDirectory } from './hostdirectory.ts';
import { HostFile } from './hostfile.ts';
import { ErrnoError } from './openfile.ts';
import { canHold, openSpot } from './spot.ts';
import { READ } from './testing/scratch.ts';

const ATTEMPTS = 1500;

/** Puts a directory and a link that leads out, in turn, under the name `swap`, until it is told to stop. */
const ATTACKER = `
  const { renameSync } = require('node:fs');
  const { workerData, parentPort } = require('node:worker_threads');
  const stop = new Int32Array(workerData.stop);
  const at = (name) => workerData.inside + '/' + name;
  parentPort.postMessage('running');
  while (Atomics.load(stop, 0) === 0) {
    for (const name of ['directory', 'link']) {
      renameSync(at(name), at('swap'));
      renameSync(at('swap'), at(name));
    }
  }
`;

test('a link that is put in a directory’s place at the worst moment leads nowhere', { skip: !canHold }, async (t) => {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-race-'));
  const inside = path.join(base, 'inside');
  const outside = path.join(base, 'outside');
  fs.mkdirSync(path.join(inside, 'directory'), { recursive: true });
  fs.mkdirSync(outside);
  fs.writeFileSync(path.join(inside, 'directory', 'file'), 'inside');
  fs.writeFileSync(path.join(outside, 'file'), 'outside');
  fs.symlinkSync('../outside', path.join(inside, 'link'));
  const root = new HostDirectory(openSpot(inside, true), null);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const attacker = new Worker(ATTACKER, { eval: true, workerData: { inside, stop: stop.buffer } });
  const ended = new Promise((resolve) => void attacker.once('exit', resolve));
  t.after(async () => {
    Atomics.store(stop, 0, 1);
    await ended;
    root.close();
    fs.rmSync(base, { recursive: true });
  });
  await new Promise((resolve) => void attacker.once('message', resolve));

  const seen = new Map<string, number>();
  const attempt = (what: string, call: () => void): void => {
    let how = 'done';
    try {
      call();
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      how = errnoName(error.errno);
    }
    const key = `${what}: ${how}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  };
  const options = { ...READ, followFinalLink: true };
  for (let i = 0; i < ATTEMPTS; i++) {
    attempt('open', () => {
      const file = root.open('swap/file', options);
      assert.ok(file instanceof HostFile);
      const room = new Uint8Array(10);
      const count = file.read([room], null);
      file.close();
      assert.equal(Buffer.from(room.subarray(0, count)).toString(), 'inside');
    });
    attempt('create', () => root.open('swap/new', { ...options, write: true, create: true }).close());
    attempt('mkdir', () => root.makeDirectory(`swap/d${i}`));
    attempt('unlink', () => root.unlink('swap/new'));
    attempt('rename', () => root.rename('swap/file', root, 'stolen'));
    attempt('rename back', () => root.rename('stolen', root, 'swap/file'));
  }
  // Nothing outside was touched, and what came out of `swap` was never the file outside.
  assert.deepEqual(fs.readdirSync(outside), ['file']);
  assert.equal(fs.readFileSync(path.join(outside, 'file'), 'utf8'), 'outside');
  const allowed = new Set(['done', 'noent', 'perm', 'notdir', 'again', 'exist']);
  for (const key of seen.keys()) assert.ok(allowed.has(key.split(': ')[1] ?? ''), key);
});
