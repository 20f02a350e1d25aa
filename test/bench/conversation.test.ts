import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation } from '../../bench/cluster/conversation.ts';

test('lines are heard in order, whether they come before or after they are waited for', async () => {
  const conversation = new Conversation();
  const { stdin, stdout } = conversation.io;
  const write = (text: string) => stdout.write(Buffer.from(text), () => {});
  write('one\ntwo\nth');
  assert.equal(await conversation.hear(), 'one');
  assert.equal(await conversation.hear(), 'two');
  const third = conversation.hear();
  write('ree\n');
  assert.equal(await third, 'three');

  const taken: string[] = [];
  const read = (max: number) =>
    new Promise<void>((resolve) => {
      stdin.read(max, (result) => {
        if ('value' in result) taken.push(Buffer.from(result.value).toString());
        resolve();
      });
    });
  const waiting = read(100);
  conversation.say('hello');
  await waiting;
  conversation.say('world');
  await read(2);
  await read(100);
  assert.deepEqual(taken, ['hello\n', 'wo', 'rld\n']);
});
