/**
 * A cluster of real nodes for whole-system tests: each an operating-system process on loopback, with all files in one
 * temporary directory, and commands run against them as a user would.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { type AdminClient, connectAdmin } from '../../src/admin/client.ts';
import type { UpJson } from '../../src/cli/up-json.ts';
import type { MoveResult, NodeInfo, ProcessInfo } from '../../src/node/daemon.ts';

const BIN = path.join(import.meta.dirname, '../../bin/godwit');

/** Milliseconds after which whatever a test waits for is given up: much longer than a loaded machine needs. */
const LIMIT = 90_000;

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** As a shell shows it: 128 + n if it died of a signal. */
  readonly status: number;
}

export interface SpawnOptions {
  /** Node whose control socket the command uses (`node1`); null: none, a `run` is embedded. */
  readonly node?: string | null;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Each `pipe`, `ignore` or an open descriptor. */
  readonly stdio?: readonly ['pipe' | 'ignore' | number, 'pipe' | 'ignore' | number, 'pipe' | 'ignore' | number];
}

export interface RunOptions extends SpawnOptions {
  readonly input?: string | Uint8Array;
  /** Milliseconds after which a command that does not end is given up, if it may take longer than others. */
  readonly limit?: number;
}

/** A command that runs, its output so far, and ways to wait for more of it. */
export class Running {
  readonly child: ChildProcess;
  readonly #out = new Collected();
  readonly #err = new Collected();
  readonly #status: Promise<number>;

  constructor(child: ChildProcess) {
    this.child = child;
    if (child.stdout) this.#out.take(child.stdout);
    if (child.stderr) this.#err.take(child.stderr);
    // A program may end without reading all of its input.
    child.stdin?.on('error', () => {});
    this.#status = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => {
        this.#out.end();
        this.#err.end();
        resolve(signal ? 128 + constants.signals[signal] : (status ?? 0));
      });
    });
    this.#status.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? assert.fail('the command could not be started');
  }

  get stdout(): string {
    return this.#out.text;
  }

  get stderr(): string {
    return this.#err.text;
  }

  /** Resolves when its stdout matches. @throws Error if it ends before, or after {@link LIMIT} */
  output(pattern: RegExp): Promise<RegExpExecArray> {
    return within(this.#out.until(pattern), () => `${pattern} in ${JSON.stringify(this.stdout)} ${this.stderr}`);
  }

  errors(pattern: RegExp): Promise<RegExpExecArray> {
    return within(this.#err.until(pattern), () => `${pattern} in ${JSON.stringify(this.stderr)}`);
  }

  write(text: string | Uint8Array): void {
    assert(this.child.stdin, 'its stdin is no pipe');
    this.child.stdin.write(text);
  }

  endInput(text: string | Uint8Array = ''): void {
    assert(this.child.stdin, 'its stdin is no pipe');
    this.child.stdin.end(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Its end. @param limit milliseconds after which it is given up */
  async result(limit = LIMIT): Promise<Result> {
    const status = await within(this.#status, () => `the end of ${this.child.spawnargs.slice(1).join(' ')}`, limit);
    return { stdout: this.stdout, stderr: this.stderr, status };
  }
}

class Collected {
  text = '';
  #ended = false;
  readonly #waiters = new Set<() => void>();

  take(stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => {
      this.text += part;
      this.#wake();
    });
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  until(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.text);
        if (match) resolve(match);
        else if (this.#ended) reject(new Error(`ended without ${pattern}: ${JSON.stringify(this.text)}`));
        else return;
        this.#waiters.delete(look);
      };
      this.#waiters.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of this.#waiters) look();
  }
}

/** @throws Error naming `what` if the promise takes longer than {@link LIMIT} */
export async function within<T>(promise: Promise<T>, what: () => string, limit = LIMIT): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited too long for ${what()}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until there is an answer that is not null. */
export async function eventually<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  const start = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() - start > LIMIT) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** One daemon. */
export class LabNode {
  readonly name: string;
  readonly ready: UpJson;
  readonly running: Running;
  readonly logFile: string;

  constructor(name: string, ready: UpJson, running: Running, logFile: string) {
    this.name = name;
    this.ready = ready;
    this.running = running;
    this.logFile = logFile;
  }

  get id(): number {
    return this.ready.id;
  }

  kill(signal: NodeJS.Signals): void {
    this.running.signal(signal);
  }
}

/** Runs a node otherwise than with the Node of this process. */
export interface Launcher {
  /** A Node, with what it takes to start it; the path of `godwit` and its arguments follow. */
  readonly command: readonly [file: string, ...args: string[]];
  readonly env?: NodeJS.ProcessEnv;
}

const OWN_NODE: Launcher = { command: [process.execPath] };

export interface LabOptions {
  readonly nodes?: number;
  /** Added to the environment of daemons and commands. */
  readonly env?: NodeJS.ProcessEnv;
}

export class Lab {
  readonly directory: string;
  readonly nodes: LabNode[] = [];
  readonly #env: NodeJS.ProcessEnv;
  /** Everything that was started and may still run. */
  readonly #started = new Set<Running>();

  private constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.directory = directory;
    const { GODWIT_SOCKET: _, ...inherited } = process.env;
    this.#env = {
      ...inherited,
      XDG_CACHE_HOME: path.join(directory, 'cache'),
      XDG_STATE_HOME: path.join(directory, 'state'),
      XDG_RUNTIME_DIR: path.join(directory, 'run'),
      ...env,
    };
  }

  /** Starts `node1`, `node2`, ... and waits until all are members. Stop it in `after`. */
  static async start({ nodes = 3, env = {} }: LabOptions = {}): Promise<Lab> {
    const lab = new Lab(await mkdtemp(path.join(tmpdir(), 'godwit-e2e-')), env);
    await mkdir(path.join(lab.directory, 'run'), { mode: 0o700 });
    try {
      for (let number = 1; number <= nodes; number++) await lab.up(`node${number}`);
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** Starts a node, or starts it again with what it has in its state directory. @param options of `godwit up` */
  async up(name: string, options: readonly string[] = [], launcher: Launcher = OWN_NODE): Promise<LabNode> {
    const socket = this.socketOf(name);
    const args = ['up', '--json', '--attended', '--name', name, '--socket', socket];
    if (!options.includes('--listen')) args.push('--listen', '127.0.0.1:0');
    args.push('--state', path.join(this.directory, name), ...options);
    const known = this.nodes.findIndex((node) => node.name === name);
    if (this.nodes.length > 0 && known < 0 && !options.includes('--join')) args.push(...(await this.#joining()));
    const logFile = path.join(this.directory, `${name}.err`);
    const log = openSync(logFile, 'a');
    const [file, ...before] = launcher.command;
    const where: SpawnOptions = { node: null, env: launcher.env ?? {}, stdio: ['pipe', 'pipe', log] };
    const running = this.command(file, [...before, BIN, ...args], where);
    closeSync(log);
    try {
      const [line] = await running.output(/^.*\n/);
      const node = new LabNode(name, JSON.parse(line) as UpJson, running, logFile);
      if (known < 0) this.nodes.push(node);
      else this.nodes[known] = node;
      return node;
    } catch (error) {
      throw new Error(`${name} did not start: ${await readFile(logFile, 'utf8')}`, { cause: error });
    }
  }

  async #joining(): Promise<string[]> {
    const { token, address } = await this.ask((client) => client.token());
    return ['--join', address, '--token', token];
  }

  socketOf(name: string): string {
    return path.join(this.directory, `${name}.sock`);
  }

  node(name: string): LabNode {
    return this.nodes.find((node) => node.name === name) ?? assert.fail(`no node ${name}`);
  }

  nameOf(id: number): string {
    return this.nodes.find((node) => node.id === id)?.name ?? assert.fail(`no node ${id}`);
  }

  environment(node: string | null = 'node1'): NodeJS.ProcessEnv {
    return node === null ? this.#env : { ...this.#env, GODWIT_SOCKET: this.socketOf(node) };
  }

  /** Starts `godwit ARGS`. */
  spawn(args: readonly string[], options: SpawnOptions = {}): Running {
    return this.command(process.execPath, [BIN, ...args], options);
  }

  /** Starts any command; `godwit` in a shell is {@link GODWIT}. */
  command(file: string, args: readonly string[], options: SpawnOptions = {}): Running {
    const { node = 'node1', cwd = this.directory, env = {}, stdio = ['pipe', 'pipe', 'pipe'] } = options;
    const child = spawn(file, args, { cwd, env: { ...this.environment(node), ...env }, stdio: [...stdio] });
    const running = new Running(child);
    this.#started.add(running);
    child.once('close', () => this.#started.delete(running));
    return running;
  }

  /** Runs `godwit ARGS` to its end. */
  async run(args: readonly string[], { input = '', limit, ...options }: RunOptions = {}): Promise<Result> {
    const running = this.spawn(args, options);
    if (running.child.stdin) running.endInput(input);
    return running.result(limit);
  }

  /** Runs a shell script to its end; `$GODWIT` in it is the command. */
  async shell(script: string, { input = '', ...options }: RunOptions = {}): Promise<Result> {
    const env = { ...options.env, GODWIT: `${process.execPath} ${BIN}` };
    const running = this.command('/bin/sh', ['-c', script], { ...options, env });
    if (running.child.stdin) running.endInput(input);
    return running.result();
  }

  /** Asks a node over its control socket, as the commands do, without the time that it takes to start one. */
  async ask<T>(question: (node: AdminClient) => Promise<T>, node = 'node1'): Promise<T> {
    const client = await connectAdmin(this.socketOf(node));
    try {
      return await within(question(client), () => `an answer of ${node}`);
    } finally {
      client.close();
    }
  }

  ps(node = 'node1'): Promise<readonly ProcessInfo[]> {
    return this.ask((client) => client.ps(), node);
  }

  nodeList(node = 'node1'): Promise<readonly NodeInfo[]> {
    return this.ask((client) => client.nodes(), node);
  }

  /** The process whose command line has this word, as soon as there is one. */
  process(word: string, node = 'node1'): Promise<ProcessInfo> {
    return eventually(`a process with ${word}`, async () => {
      return (await this.ps(node)).find(({ command }) => command.includes(word)) ?? null;
    });
  }

  /** The name of the node that it runs on. */
  async placeOf(pid: number, node = 'node1'): Promise<string> {
    const found = (await this.ps(node)).find((process) => process.pid === pid);
    return this.nameOf(found?.node ?? assert.fail(`no process ${pid}`));
  }

  /** @throws GodwitError if it cannot be moved */
  migrate(pid: number, target: string, node = 'node1'): Promise<MoveResult> {
    return this.ask((client) => client.migrate(pid, target), node);
  }

  /** What the daemons wrote to stderr: nothing, if all is well. */
  async complaints(): Promise<string> {
    const texts = await Promise.all(this.nodes.map(({ logFile }) => readFile(logFile, 'utf8')));
    return texts.join('');
  }

  /** Ends everything that was started, by pid, and removes all files. */
  async stop(): Promise<void> {
    for (const { child } of this.#started) child.kill('SIGCONT');
    for (const { running } of this.nodes) running.signal('SIGTERM');
    const ended = [...this.#started].map(async (running) => {
      if (!this.nodes.some((node) => node.running === running)) running.signal('SIGKILL');
      const late = setTimeout(() => running.signal('SIGKILL'), 10_000);
      if (running.child.exitCode === null && running.child.signalCode === null) await once(running.child, 'close');
      clearTimeout(late);
    });
    await Promise.all(ended);
    await rm(this.directory, { recursive: true, force: true });
  }
}
