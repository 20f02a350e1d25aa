/** Hosts of which nothing may be asked. */
import assert from 'node:assert/strict';
import type { GuestHost, HomeHost, SourceHost } from '../hosts.ts';

export const unused = (): never => assert.fail('no host is asked');

export const NO_GUEST: GuestHost = { pause: unused, go: unused, discard: unused };
export const NO_SOURCE: SourceHost = { freeze: unused, resume: unused };
export const NO_HOME: HomeHost = {
  stayReasons: unused,
  spec: unused,
  nodeState: unused,
  nameOf: unused,
  silence: unused,
  placed: unused,
  moving: unused,
  heldBy: unused,
  moved: unused,
  ended: unused,
  usage: unused,
};
