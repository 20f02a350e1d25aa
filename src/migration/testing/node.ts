/**
 * A simulated daemon: the real machines of a node over hosts that are models. Its guests are those of testing/guest.ts;
 * its kernel is a log for each thread of each process.
 */
import assert from 'node:assert/strict';
import type { Clock, Timer } from '../../base/env.ts';
import { silentLog } from '../../base/env.ts';
import type { MoveId, NodeId, Pid, Seat } from '../../base/ids.ts';
import { SeededRandom } from '../../base/virtual.ts';
import { Waiting } from '../../base/waiting.ts';
import { Deputy } from '../../kernel/deputy.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import type { Named, ProcessMessage } from '../../link/frames/process.ts';
import type { DestinationHost, GuestHost, HomeHost, Message, PeerEvent, SourceHost } from '../hosts.ts';
import { Roles } from '../roles.ts';
import type { RoleMessage } from '../roles.ts';
import type { StayReason } from '../../kernel/stay.ts';
import { beginning, bytesOf, type GuestSpec, numbersOf, SimGuest, threadsOf } from './guest.ts';
import type { Peer } from './network.ts';
import type { Program } from './program.ts';
import { replyTo } from './program.ts';
import { trace } from './trace.ts';
import type { World } from './world.ts';

interface Reservation {
  readonly program: Program;
  head: Uint8Array | null;
  received: number;
}

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
    const threads = beginning(program);
    this.#place({ pid, home: this.id, incarnation, program, threads, phase: 'running', paused: false }).goOn();
  }

  guest(pid: Pid): SimGuest {
    const guest = this.guests.get(pid);
    assert(guest, `node ${this.id} has no guest ${pid}`);
    return guest;
  }

  deputy(pid: Pid): Deputy {
    const deputy = this.deputies.get(pid);
    assert(deputy, `node ${this.id} has no deputy of ${pid}`);
    return deputy;
  }

  #place(spec: GuestSpec): SimGuest {
    assert(!this.guests.has(spec.pid), `node ${this.id} has a guest ${spec.pid} already`);
    const guest = new SimGuest(this, this.#clock, spec);
    this.guests.set(spec.pid, guest);
    return guest;
  }

  #forget(guest: SimGuest): void {
    this.guests.delete(guest.pid);
    guest.forget();
  }

  /** A guest here has come to its end. */
  ended(guest: SimGuest, checksums: readonly number[], status: number): void {
    this.world.finished(guest.pid, checksums);
    this.#forget(guest);
    this.roles.ended(guest.pid, { cause: 'exit', status, report: null, usage: this.world.usage });
  }

  /** The kernel of a home node. */
  execute(pid: Pid, seat: Seat, request: Uint8Array): Uint8Array | Waiting<Uint8Array> {
    const [position = 0, ms = 0, noise = 0] = numbersOf(request);
    const effect = (): Uint8Array => bytesOf(replyTo(seat, position, this.world.append(pid, seat, position)), noise);
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
        guest.goOn();
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
        guest.resume(incarnation);
        this.world.started(this, pid, incarnation);
        guest.goOn();
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
    this.world.frozen(pid);
    const image = guest.freeze();
    if (this.#mood(20)) this.roles.failed(pid, move, 'no room for an image');
    else this.roles.frozen(pid, move, image, this.world.usage, () => 0);
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
      start: (pid, incarnation, home, paused, frozenMs) => {
        this.world.checkFrozen(pid, frozenMs);
        const { head, program } = this.#reservation(pid);
        this.reservations.delete(pid);
        const threads = threadsOf(program, head ?? new Uint8Array());
        const guest = this.#place({ pid, home, incarnation, program, threads, phase: 'starting', paused });
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
    guest.goOn();
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
      spec: () => ({
        module: new Uint8Array(32),
        moduleBytes: 1n,
        engine: '1',
        memoryBytes: 1n,
        threads: 1,
        features: [],
      }),
      nodeState: (node) => this.world.network.stateOf(this.id, node),
      nameOf: String,
      silence: (node) => `node ${node} does not answer`,
      moving() {},
      heldBy() {},
      moved() {},
      placed: (pid, node, incarnation) => {
        const deputy = this.deputies.get(pid);
        if (deputy) deputy.place(node, incarnation);
        else {
          const execute = (seat: Seat, request: Uint8Array) => this.execute(pid, seat, request);
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
