/**
 * A simulated daemon: the real machines of a node over hosts that are models. Its guests execute the programs of
 * testing/program.ts step by step in virtual time; its kernel is a log for each process.
 */
import assert from 'node:assert/strict';
import type { Clock, Timer } from '../../base/env.ts';
import { silentLog } from '../../base/env.ts';
import type { Incarnation, MoveId, NodeId, Pid } from '../../base/ids.ts';
import { callNumber } from '../../base/ids.ts';
import { SeededRandom } from '../../base/virtual.ts';
import { Waiting } from '../../base/waiting.ts';
import { Deputy, FIRST_CALL } from '../../kernel/deputy.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import type { Named, ProcessMessage } from '../../link/frames/process.ts';
import type { DestinationHost, GuestHost, HomeHost, ImageSource, Message, PeerEvent, SourceHost } from '../hosts.ts';
import type { GuestEnd } from '../guests.ts';
import { Roles } from '../roles.ts';
import type { RoleMessage } from '../roles.ts';
import type { StayReason } from '../../kernel/stay.ts';
import type { Peer } from './network.ts';
import type { GuestState, Program } from './program.ts';
import { mix, replyTo } from './program.ts';
import { trace } from './trace.ts';
import type { World } from './world.ts';

interface SimGuest {
  readonly pid: Pid;
  readonly home: NodeId;
  incarnation: Incarnation;
  readonly program: Program;
  state: GuestState;
  /** `ended` guests are gone from the table. */
  phase: 'starting' | 'running' | 'freezing' | 'frozen';
  paused: boolean;
  /** Resumed at home, and has made no call since: it must ask the deputy first. */
  resumed: boolean;
  /** Blocked in a call of the kernel of this node; null while it runs or waits for another node. */
  blocked: Waiting<Uint8Array> | null;
  /** In a call, here or at home. */
  calling: boolean;
  step: Timer | null;
}

interface Reservation {
  readonly program: Program;
  head: Uint8Array | null;
  received: number;
}

const bytesOf = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
const numbersOf = (bytes: Uint8Array): number[] => [...new Uint32Array(bytes.slice().buffer)];

const filler = new Uint8Array(2_000_000);

export class SimNode implements Peer {
  readonly id: NodeId;
  readonly boot: number;
  readonly world: World;
  readonly random: SeededRandom;
  readonly roles: Roles;
  readonly deputies = new Map<Pid, Deputy>();
  readonly calls: HomeCalls;
  readonly guests = new Map<Pid, SimGuest>();
  readonly reservations = new Map<Pid, Reservation>();
  /** Stay reasons of the processes of this home. */
  readonly stay: StayReason[] = [];
  /** Why it takes no process; `never`: it does not answer. */
  refuses: string | null = null;
  alive = true;
  paused = false;
  /** While what had to wait is done, after the node was stopped. */
  waking = false;
  #deferred: (() => void)[] = [];
  readonly #clock: Clock;
  readonly #send: (to: NodeId, message: Message) => void;

  constructor(world: World, id: NodeId, boot: number) {
    this.world = world;
    this.id = id;
    this.boot = boot;
    this.random = new SeededRandom(world.random.next());
    this.#clock = {
      now: () => world.clock.now(),
      wallNanos: () => world.clock.wallNanos(),
      after: (delay, fire) => {
        let live = true;
        const timer = world.clock.after(delay, () =>
          this.run(() => {
            if (live) fire();
          }),
        );
        return {
          cancel: () => {
            live = false;
            timer.cancel();
          },
        };
      },
    };
    const send = (to: NodeId, message: Message): void => {
      assert(to !== id, 'a message to itself on the network');
      world.network.send(id, to, message);
    };
    this.#send = send;
    this.calls = new HomeCalls(send);
    const network = { self: id, send, hasRoom: (to: NodeId) => world.network.hasRoom(id, to) };
    const env = { clock: this.#clock, random: this.random, log: silentLog };
    const hosts = { network, guest: this.#guestHost(), source: this.#sourceHost() };
    this.roles = new Roles({ ...hosts, destination: this.#destinationHost(), home: this.#homeHost() }, env);
  }

  /** Does it now; when the node goes on, if it is stopped; never, if it is dead by then. */
  run(task: () => void): void {
    if (!this.alive) return;
    this.world.onEvent();
    // The event before which a node dies or stops is not seen by it.
    if (!this.alive) return;
    if (this.paused || this.waking) this.#deferred.push(task);
    else task();
  }

  kill(): void {
    trace(this.world.clock.now(), `${this.id} dies`);
    this.alive = false;
    this.world.network.changed();
  }

  pause(): void {
    trace(this.world.clock.now(), `${this.id} stops`);
    this.paused = true;
    this.world.network.changed();
  }

  goOn(): void {
    if (!this.paused || !this.alive) return;
    trace(this.world.clock.now(), `${this.id} goes on`);
    this.paused = false;
    this.waking = true;
    for (let task = this.#deferred.shift(); task; task = this.#deferred.shift()) task();
    this.waking = false;
    for (const guest of this.guests.values()) this.world.checkActive(guest.pid);
    this.world.network.changed();
  }

  // As a peer of the network.

  deliver(from: NodeId, message: Message): void {
    if (message.frame === 'call') this.#remoteCall(from, message);
    else if (message.frame === 'reply') this.calls.reply(from, message);
    else this.roles.receive(from, message as RoleMessage);
  }

  #remoteCall(from: NodeId, message: Named<ProcessMessage, 'call'>): void {
    const { pid, incarnation } = message;
    if (this.roles.home.needs(from, pid, incarnation)) return;
    const deputy = this.deputies.get(pid);
    if (deputy) deputy.call(from, message);
    else this.#send(from, { frame: 'free', pid, incarnation });
  }

  room(to: NodeId): void {
    this.roles.room(to);
  }

  peerEvent(node: NodeId, event: PeerEvent): void {
    trace(this.world.clock.now(), `${this.id} learns: ${node} ${event}`);
    this.roles.peer(node, event);
    if (event === 'reset') this.calls.reset(node);
  }

  // Processes.

  /** Starts a program with this node as its home. */
  spawn(pid: Pid, program: Program): void {
    const incarnation = this.roles.create(pid);
    const state = { position: 0, checksum: 1, nextCall: Number(FIRST_CALL), noise: 0 };
    this.#place(pid, this.id, incarnation, program, state, 'running', false);
    this.#later(this.guest(pid));
  }

  guest(pid: Pid): SimGuest {
    const guest = this.guests.get(pid);
    assert(guest, `node ${this.id} has no guest ${pid}`);
    return guest;
  }

  #place(
    pid: Pid,
    home: NodeId,
    incarnation: Incarnation,
    program: Program,
    state: GuestState,
    phase: SimGuest['phase'],
    paused: boolean,
  ): void {
    assert(!this.guests.has(pid), `node ${this.id} has a guest ${pid} already`);
    const rest = { resumed: true, blocked: null, calling: false, step: null };
    this.guests.set(pid, { pid, home, incarnation, program, state, phase, paused, ...rest });
    if (home !== this.id) this.calls.open(pid, home, incarnation, callNumber(state.nextCall));
  }

  #forget(guest: SimGuest): void {
    guest.step?.cancel();
    this.guests.delete(guest.pid);
    guest.blocked?.withdraw();
    if (guest.home !== this.id && guest.phase !== 'frozen') this.calls.close(guest.pid);
  }

  // Execution.

  #later(guest: SimGuest): void {
    guest.step?.cancel();
    guest.step = this.#clock.after(this.random.below(this.world.stepMs), () => this.#step(guest));
  }

  #executes(guest: SimGuest): boolean {
    const runs = guest.phase === 'running' || guest.phase === 'freezing';
    return runs && !guest.paused && this.guests.get(guest.pid) === guest;
  }

  #step(guest: SimGuest): void {
    if (!this.#executes(guest) || guest.calling) return;
    this.world.executes(this, guest);
    const { program, state, pid } = guest;
    const step = program.steps[state.position];
    if (!step) {
      this.#end(guest, { cause: 'exit', status: program.status, report: null, usage: this.world.usage });
      return;
    }
    if (step.kind === 'count' || step.kind === 'here') {
      // The guest's own thread checks the lease before it changes anything outside its memory.
      if (step.kind === 'here' && !this.roles.guests.leases.valid(guest.home)) {
        this.#later(guest);
        return;
      }
      if (step.kind === 'here') this.world.outside(this, guest);
      state.checksum = mix(state.checksum, state.position++);
      state.noise = this.random.next();
      this.#later(guest);
      return;
    }
    guest.calling = true;
    const request = bytesOf(state.position, step.kind === 'block' ? step.ms : -1, state.noise);
    if (guest.home === this.id) this.#callHere(guest, request);
    else this.calls.call(pid, request, (reply) => this.#returns(guest, reply, true));
  }

  /** A call of a guest at home: straight into the kernel, but for the first one after a resume. */
  #callHere(guest: SimGuest, request: Uint8Array): void {
    const deputy = this.deputies.get(guest.pid);
    assert(deputy);
    const owed = guest.resumed ? deputy.local(callNumber(guest.state.nextCall)) : null;
    guest.resumed = false;
    const result = owed ?? this.execute(guest.pid, request);
    if (!(result instanceof Waiting)) this.#returns(guest, result, owed !== null);
    else {
      guest.blocked = result;
      result.whenDone((reply) => this.#returns(guest, reply, owed !== null));
      // The result belongs to call `nextCall` at the deputy: a guest that is frozen meanwhile leaves it there.
      guest.resumed = owed !== null;
    }
  }

  #returns(guest: SimGuest, reply: Uint8Array, numbered: boolean): void {
    if (!guest.calling || this.guests.get(guest.pid) !== guest) return;
    guest.calling = false;
    guest.blocked = null;
    guest.resumed = false;
    const { state } = guest;
    const [value = 0, noise = 0] = numbersOf(reply);
    assert.equal(noise, state.noise, 'a guest gets the reply to a call of another one');
    if (numbered) state.nextCall++;
    state.checksum = mix(state.checksum, value);
    state.position++;
    this.#later(guest);
  }

  #end(guest: SimGuest, end: GuestEnd): void {
    this.world.finished(guest.pid, guest.state.checksum);
    this.#forget(guest);
    this.roles.ended(guest.pid, end);
  }

  /** The kernel of a home node. */
  execute(pid: Pid, request: Uint8Array): Uint8Array | Waiting<Uint8Array> {
    const [position = 0, ms = 0, noise = 0] = numbersOf(request);
    const effect = (): Uint8Array => bytesOf(replyTo(position, this.world.append(pid, position)), noise);
    if (ms === 0xffff_ffff) return effect();
    let timer: Timer | null = null;
    const waiting = new Waiting<Uint8Array>(() => {
      // Some operations cannot be taken back: they settle on the spot.
      if (this.world.processes.get(pid)?.end === null && this.random.oneIn(4)) waiting.settle(effect());
      timer?.cancel();
    });
    timer = this.#clock.after(ms, () => {
      if (waiting.pending) waiting.settle(effect());
    });
    return waiting;
  }

  // Hosts.

  #guestHost(): GuestHost {
    return {
      pause: (pid) => {
        this.guest(pid).paused = true;
      },
      go: (pid) => {
        const guest = this.guest(pid);
        guest.paused = false;
        this.world.checkActive(pid);
        if (!guest.calling) this.#later(guest);
      },
      discard: (pid) => this.#forget(this.guest(pid)),
    };
  }

  #sourceHost(): SourceHost {
    return {
      freeze: (pid, move) => {
        const guest = this.guest(pid);
        guest.phase = 'freezing';
        this.#clock.after(this.random.below(40), () => this.#freeze(guest, move));
      },
      resume: (pid, incarnation) => {
        const guest = this.guest(pid);
        const wasFrozen = guest.phase === 'frozen';
        guest.phase = 'running';
        guest.incarnation = incarnation;
        if (guest.home !== this.id) {
          const next = wasFrozen ? callNumber(guest.state.nextCall) : this.calls.close(pid);
          this.calls.open(pid, guest.home, incarnation, next);
          guest.calling = false;
        }
        if (wasFrozen) guest.resumed = true;
        this.world.started(this, pid, incarnation);
        if (!guest.calling) this.#later(guest);
      },
    };
  }

  #freeze(guest: SimGuest, move: MoveId): void {
    const { pid } = guest;
    if (this.guests.get(pid) !== guest || guest.phase !== 'freezing') return;
    if (this.#mood(20)) {
      guest.phase = 'running';
      this.roles.cannot(pid, move, ['safepoint']);
      return;
    }
    if (guest.home !== this.id) guest.state.nextCall = this.calls.close(pid);
    else if (guest.blocked) this.#leaveCall(guest);
    guest.phase = 'frozen';
    guest.calling = false;
    guest.blocked = null;
    guest.step?.cancel();
    this.roles.frozen(pid, move, this.#image(guest));
  }

  /** A guest at home is frozen in a call: the three ways of kernel/deputy.ts. */
  #leaveCall(guest: SimGuest): void {
    const { blocked } = guest;
    const deputy = this.deputies.get(guest.pid);
    assert(blocked && deputy);
    // A numbered call stays with the deputy.
    if (guest.resumed) blocked.withdraw();
    else if (this.random.oneIn(2)) {
      guest.state.nextCall = deputy.owe(blocked);
      this.world.count('owed');
    } else if (!blocked.withdraw()) this.world.count('completed in place');
  }

  #image(guest: SimGuest): ImageSource {
    const { position, checksum, nextCall, noise } = guest.state;
    const { bytes } = guest.program;
    const head = bytesOf(position, checksum, nextCall, noise);
    let at = 0;
    return {
      bytes,
      next: (max) => {
        const size = Math.min(max, bytes - at);
        const chunk = at === 0 ? new Uint8Array(Math.min(size, 64)) : filler.subarray(at, at + size);
        if (at === 0) chunk.set(head);
        at += chunk.length;
        return chunk.length > 0 ? chunk : null;
      },
      digest: () => new Uint8Array(32).fill(position % 256),
    };
  }

  #destinationHost(): DestinationHost {
    return {
      reserve: (pid, move) => {
        const program = this.world.programs.get(pid);
        assert(program && !this.reservations.has(pid));
        const reservation = { program, head: null, received: 0 };
        this.reservations.set(pid, reservation);
        this.#clock.after(this.random.below(50), () => {
          const refuses = this.#mood(15) ? 'no memory' : this.#mood(60) ? 'never' : this.refuses;
          if (this.reservations.get(pid) !== reservation || refuses === 'never') return;
          if (refuses === null) this.roles.reserved(pid, move);
          else {
            this.reservations.delete(pid);
            this.roles.refused(pid, move, refuses);
          }
        });
      },
      open: () => (this.#mood(40) ? 'larger than the reservation' : null),
      write: (pid, chunk) => {
        const reservation = this.#reservation(pid);
        reservation.head ??= chunk.slice();
        reservation.received += chunk.length;
      },
      seal: (pid, move, digest) => {
        const reservation = this.#reservation(pid);
        assert.equal(reservation.received, reservation.program.bytes);
        const right = digest[0] === (numbersOf(reservation.head ?? new Uint8Array(4))[0] ?? 0) % 256;
        this.#clock.after(this.random.below(20), () => {
          if (this.reservations.get(pid) !== reservation) return;
          if (right && !this.#mood(40)) this.roles.sealed(pid, move);
          else this.roles.unsealed(pid, move, 'the digest is wrong');
        });
      },
      start: (pid, incarnation, home, paused) => {
        const { head, program } = this.#reservation(pid);
        this.reservations.delete(pid);
        const [position = 0, checksum = 0, nextCall = 0, noise = 0] = numbersOf(head ?? new Uint8Array());
        this.#place(pid, home, incarnation, program, { position, checksum, nextCall, noise }, 'starting', paused);
        const guest = this.guest(pid);
        this.#clock.after(this.random.below(20), () => this.#start(guest));
      },
      giveUp: (pid) => assert(this.reservations.delete(pid), 'a reservation is given up twice'),
    };
  }

  #start(guest: SimGuest): void {
    const { pid } = guest;
    if (this.guests.get(pid) !== guest) return;
    if (this.#mood(40)) {
      this.roles.startFailed(pid, 'no worker');
      return;
    }
    guest.phase = 'running';
    this.world.started(this, pid, guest.incarnation);
    this.roles.started(pid);
    this.#later(guest);
  }

  #mood(times: number): boolean {
    return this.world.moody && this.random.oneIn(times);
  }

  #reservation(pid: Pid): Reservation {
    const reservation = this.reservations.get(pid);
    assert(reservation, `node ${this.id} has no reservation for ${pid}`);
    return reservation;
  }

  #homeHost(): HomeHost {
    return {
      stayReasons: () => (this.#mood(30) ? ['user_lock'] : this.stay),
      spec: () => ({ module: new Uint8Array(32), moduleBytes: 1n, engine: '1', memoryBytes: 1n, features: [] }),
      nodeState: (node) => this.world.network.stateOf(this.id, node),
      nameOf: String,
      silence: (node) => `node ${node} does not answer`,
      moving() {},
      moved() {},
      placed: (pid, node, incarnation) => {
        const deputy = this.deputies.get(pid);
        if (deputy) deputy.place(node, incarnation);
        else {
          const execute = (request: Uint8Array) => this.execute(pid, request);
          this.deputies.set(pid, new Deputy(pid, node, incarnation, execute, this.#send));
        }
      },
      ended: (pid, end) => {
        this.world.ended(this, pid, end);
        this.deputies.get(pid)?.close();
        this.deputies.delete(pid);
      },
      usage: () => {},
    };
  }
}
