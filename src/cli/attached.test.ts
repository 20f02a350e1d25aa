/** What the signals to a command in the foreground do to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { signalNamed } from '../abi/signals.ts';
import { forwardSignals } from './attached.ts';

test(
  'a second SIGTSTP does not stop again what SIGCONT has woken',
  { skip: process.platform === 'win32' },
  async (t) => {
    const sent: number[] = [];
    const stops: unknown[][] = [];
    t.mock.method(process, 'kill', (...call: unknown[]) => stops.push(call));
    // The listeners without the signals, which would be one if they came at once.
    const listeners = new Map<string, () => void>();
    const on = t.mock.method(process, 'on', (name: string, listener: () => void) => {
      listeners.set(name, listener);
      return process;
    });
    forwardSignals({ signal: (signal) => void sent.push(signal), ping: () => Promise.resolve() }, () => assert.fail());
    on.mock.restore();
    const signal = (name: string): void => listeners.get(`SIG${name}`)?.();
    const [stop, go] = [signalNamed('TSTP').number, signalNamed('CONT').number];
    const stopped = [process.pid, 'SIGSTOP'];

    signal('TSTP');
    signal('TSTP');
    await setImmediate();
    assert.deepEqual([sent.splice(0), stops.splice(0)], [[stop], [stopped]]);
    // It was on its way when the first had stopped this process, and is heard before the signal that woke it.
    signal('TSTP');
    signal('CONT');
    await setImmediate();
    assert.deepEqual([sent.splice(0), stops.splice(0)], [[go], []]);
    signal('TSTP');
    await setImmediate();
    assert.deepEqual([sent.splice(0), stops.splice(0)], [[stop], [stopped]]);
    signal('CONT');
    signal('TSTP');
    signal('CONT');
    await setImmediate();
    assert.deepEqual([sent.splice(0), stops.splice(0)], [[go, stop, go], []]);
  },
);
