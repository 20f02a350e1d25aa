/** The imports of one thread with everything around them, for tests: its memory, a host file, a main thread that notes calls. */
import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { CALL_NAMES, type Preview1Name } from '../../abi/preview1.ts';
import { Whence } from '../../abi/types.ts';
import { encodeUtf8 } from '../../base/bytes.ts';
import { DirectFile } from '../../vfs/direct.ts';
import { guestCalls } from '../calls.ts';
import { ControlBlock } from '../control.ts';
import { type AllowedCalls, DescriptorTable } from '../descriptors.ts';
import { GuestClocks, type Machinery } from '../local.ts';
import { RandomSupply } from '../random.ts';

export const PAGE_BYTES = 65_536;

/** Answers every call with `errno` and notes it. */
export class NotingControl extends ControlBlock {
  readonly calls: string[] = [];
  errno: number | null = 77;

  override call(index: number, args: readonly (number | bigint)[]): number | null {
    this.calls.push(`${CALL_NAMES[index]} ${args.join(' ')}`);
    return this.errno;
  }
}

/** A machine whose clocks stand still unless they are set, and whose random numbers count. */
export class FakeMachinery implements Machinery {
  wall = 1_700_000_000_000_000_000n;
  monotonic = 5_000_000_000n;
  cpu = 7_000_000n;
  #next = 0;
  wallNanos = (): bigint => this.wall;
  monotonicNanos = (): bigint => this.monotonic;
  cpuNanos = (): bigint => this.cpu;
  randomFill = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#next = (this.#next * 5 + 1) & 0xffff;
  };
}

export class Side {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  readonly control = new NotingControl(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  readonly machinery = new FakeMachinery();
  readonly calls;
  readonly #channel = new MessageChannel();
  readonly #name: string;
  readonly #files: DirectFile[] = [];

  /** @param fast whether calls take their fast path @param directory where its file `name` is made */
  constructor(fast: boolean, directory: string, name: string) {
    this.#name = path.join(directory, name);
    const clocks = new GuestClocks(this.machinery, 13n);
    clocks.monotonicOffset = 11n;
    const running = {
      clocks,
      args: [encodeUtf8('program'), encodeUtf8('ä')],
      env: [encodeUtf8('A=b')],
    };
    const environment = {
      memory: this.memory,
      control: this.control,
      table: new DescriptorTable(this.#channel.port2, () => this.control.tableVersion),
      random: new RandomSupply(this.machinery.randomFill),
      alone: () => true,
      process: () => running,
      unwind: () => {
        throw new Error('unwound');
      },
      leave: (error: Error) => {
        throw error;
      },
    };
    this.calls = guestCalls(environment, fast);
  }

  /** Opens the side's file, made if need be, as that descriptor. */
  open(fd: number, flags: number, may: Partial<AllowedCalls> = {}, append = false): DirectFile {
    const file = DirectFile.create(openSync(this.#name, flags, 0o600), append);
    this.#files.push(file);
    this.change(fd, file, { read: true, write: true, seek: true, tell: true, ...may });
    return file;
  }

  /** What the kernel's side does when a descriptor has changed. */
  change(fd: number, file: DirectFile | null, may: AllowedCalls): void {
    this.#channel.port1.postMessage({ fd, shared: file?.shared ?? null, may });
    this.control.raiseTableVersion();
  }

  call(name: Preview1Name, ...raw: (number | bigint)[]): number {
    return this.calls.imports[name](...raw);
  }

  /** Empty memory and file, all positions 0. */
  reset(): void {
    new Uint8Array(this.memory.buffer).fill(0);
    const [first] = this.#files;
    if (first !== undefined) ftruncateSync(first.fd, 0);
    for (const file of this.#files) file.seek(0n, Whence.set);
    this.control.calls.length = 0;
  }

  get content(): Buffer {
    return readFileSync(this.#name);
  }

  close(): void {
    for (const file of this.#files) closeSync(file.fd);
    this.#channel.port1.close();
  }
}
