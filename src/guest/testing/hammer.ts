/**
 * A thread that hammers the queue of waits (guest/parking.ts): what programs make of wait and notify, each as a loop
 * that leaves its code when attention is raised, in a wait or between two rounds, and goes on in another queue.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ParkingLot, type Place, WaitResult } from '../parking.ts';

export type Task = keyof typeof TASKS;

export interface Hammering {
  readonly task: Task;
  readonly seat: number;
  readonly threads: number;
  readonly rounds: number;
  /** The program's memory. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly lot: SharedArrayBuffer;
  /** Brings the next queue, after a thread has said that it left. */
  readonly lots: MessagePort;
}

/** What a thread says; that it left, before it sleeps until WORD.generation changes. */
export type Said = 'left' | 'done';

export const WORD = { attention: 0, generation: 1, mutex: 2, counter: 3, turn: 4, arrived: 5, phase: 6, slots: 8 };

export const placeOf = (word: number): Place => ({ memory: 0, address: 4 * word });

class Thread {
  readonly work: Hammering;
  readonly words: Int32Array<SharedArrayBuffer>;
  #lot: ParkingLot;

  constructor(work: Hammering) {
    this.work = work;
    this.words = work.words;
    this.#lot = new ParkingLot(work.lot);
  }

  wait(word: number, expected: number, timeout = -1n): WaitResult {
    const attend = (): boolean => this.#attention;
    const waiter = { seat: this.work.seat, now: () => process.hrtime.bigint(), attend };
    const same = (): boolean => Atomics.load(this.words, word) === expected;
    for (;;) {
      const result = this.#lot.wait(waiter, placeOf(word), same, timeout);
      if (result !== null) return result;
      this.#leave();
    }
  }

  notify(word: number, count: number): number {
    return this.#lot.notify(placeOf(word), count);
  }

  poll(): void {
    if (this.#attention) this.#leave();
  }

  get #attention(): boolean {
    return Atomics.load(this.words, WORD.attention) !== 0;
  }

  #leave(): void {
    const generation = Atomics.load(this.words, WORD.generation);
    say('left');
    Atomics.wait(this.words, WORD.generation, generation);
    const received = receiveMessageOnPort(this.work.lots) as { readonly message: SharedArrayBuffer };
    this.#lot = new ParkingLot(received.message);
  }
}

const TASKS = {
  /** A mutex of three states around a counter that has no other protection. */
  mutex(thread: Thread): void {
    const { words } = thread;
    if (Atomics.compareExchange(words, WORD.mutex, 0, 1) !== 0) {
      while (Atomics.exchange(words, WORD.mutex, 2) !== 0) thread.wait(WORD.mutex, 2);
    }
    words[WORD.counter] = (words[WORD.counter] ?? 0) + 1;
    if (Atomics.exchange(words, WORD.mutex, 0) === 2) thread.notify(WORD.mutex, 1);
  },
  /** Each in turn: whoever is woken too early waits again, whoever is not woken stops them all. */
  turns(thread: Thread): void {
    const { words, work } = thread;
    for (let turn; (turn = Atomics.load(words, WORD.turn)) % work.threads !== work.seat;) thread.wait(WORD.turn, turn);
    Atomics.add(words, WORD.turn, 1);
    Atomics.add(words, WORD.counter, 1);
    thread.notify(WORD.turn, 0xffff_ffff);
  },
  /** A barrier. */
  barrier(thread: Thread): void {
    const { words, work } = thread;
    const phase = Atomics.load(words, WORD.phase);
    if (Atomics.add(words, WORD.arrived, 1) === work.threads - 1) {
      Atomics.store(words, WORD.arrived, 0);
      Atomics.add(words, WORD.counter, work.threads);
      Atomics.add(words, WORD.phase, 1);
      thread.notify(WORD.phase, 0xffff_ffff);
    } else {
      while (Atomics.load(words, WORD.phase) === phase) thread.wait(WORD.phase, phase);
    }
  },
  /** Short waits on a word that another thread may change and notify: all three results happen. */
  timeouts(thread: Thread): void {
    const { words, work } = thread;
    const mine = WORD.slots + work.seat;
    const result = thread.wait(mine, 0, 20_000n);
    if (result === WaitResult.different) Atomics.store(words, mine, 0);
    const other = WORD.slots + ((work.seat + 1) % work.threads);
    Atomics.store(words, other, 1);
    thread.notify(other, 1);
    Atomics.add(words, WORD.counter, 1);
  },
};

const say = (what: Said): void => parentPort?.postMessage(what);

const isWork = (data: unknown): data is Hammering => typeof data === 'object' && data !== null && 'task' in data;

if (isWork(workerData)) {
  const thread = new Thread(workerData);
  for (let round = 0; round < workerData.rounds; round++) {
    TASKS[workerData.task](thread);
    thread.poll();
  }
  say('done');
  workerData.lots.close();
}
