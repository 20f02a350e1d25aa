import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { HostDevice } from './hostdevice.ts';
import type { OpenFile } from './openfile.ts';
import { openPreopen } from './preopen.ts';
import { READ } from './testing/scratch.ts';

const READ_WRITE = { ...READ, write: true };

function withDevice(name: string, use: (device: OpenFile) => void): void {
  const dev = openPreopen('/dev', null);
  try {
    const device = dev.open(name, READ_WRITE);
    assert.ok(device instanceof HostDevice);
    use(device);
    device.close();
  } finally {
    dev.close();
  }
}

const fails = (errno: number) => (error: unknown) => error instanceof ErrnoError && error.errno === errno;

test('devices that never wait can be used', { skip: process.platform === 'win32' }, () => {
  withDevice('null', (device) => {
    assert.equal(device.filetype, FileType.characterDevice);
    assert.equal(device.read([new Uint8Array(10)], null), 0);
    assert.equal(device.write([new Uint8Array(10), new Uint8Array(5)], null), 15);
    assert.equal(device.write([], null), 0);
    assert.throws(() => device.seek(0n, 0), fails(ERRNO.spipe));
    assert.throws(() => device.read([new Uint8Array(1)], 0n), fails(ERRNO.spipe));
  });
  withDevice('zero', (device) => {
    const room = new Uint8Array(new SharedArrayBuffer(LIMITS.homeCallBytes + 10)).fill(1);
    assert.equal(device.read([room], null), LIMITS.homeCallBytes, 'no read holds the daemon for long');
    assert.equal(room.indexOf(1), LIMITS.homeCallBytes);
  });
});

test('a full device is full', { skip: process.platform !== 'linux' }, () => {
  withDevice('full', (device) => assert.throws(() => device.write([new Uint8Array(1)], null), fails(ERRNO.nospc)));
});

test('devices that can wait are refused', { skip: process.platform !== 'linux' }, () => {
  const dev = openPreopen('/dev', null);
  try {
    assert.throws(() => dev.open('tty', READ_WRITE), fails(ERRNO.notsup));
  } finally {
    dev.close();
  }
});
