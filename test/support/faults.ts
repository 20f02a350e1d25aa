/**
 * What tests do to the nodes of a lab, at moments that a seed decides (printed; GODWIT_SEED replays them as far as the
 * system's scheduling allows), and what must be so afterwards.
 */
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import path from 'node:path';
import { SeededRandom } from '../../src/base/virtual.ts';
import { eventually, Lab, type Result } from './lab.ts';
import type { FixtureRun } from './runs.ts';

const CUT = path.join(import.meta.dirname, 'cut.ts');

/** Three nodes that SIGUSR2 makes drop their connections. */
export class Faults {
  readonly lab: Lab;
  readonly random: SeededRandom;

  private constructor(lab: Lab, seed: number) {
    this.lab = lab;
    this.random = new SeededRandom(seed);
  }

  static async start(): Promise<Faults> {
    const seed = Number(process.env['GODWIT_SEED'] ?? randomInt(2 ** 31));
    console.log(`# GODWIT_SEED=${seed}`);
    return new Faults(await Lab.start({ env: { NODE_OPTIONS: `--import=${CUT}` } }), seed);
  }

  /** Resolves when the process has moved so many times more, or has ended: a moment in the middle of things. */
  async afterMoves(word: string, more: number): Promise<void> {
    const { moves: before } = await this.lab.process(word);
    await eventually(`${more} moves of ${word}`, async () => {
      const now = (await this.lab.ps()).find(({ command }) => command.includes(word));
      return now === undefined || now.moves >= before + more ? true : null;
    });
  }

  /** Kills a node and starts it again from its state directory. */
  async restart(name: string): Promise<void> {
    this.lab.node(name).kill('SIGKILL');
    await this.lab.node(name).running.result();
    await this.lab.up(name);
    await this.untilUp(name);
  }

  async untilUp(name: string): Promise<void> {
    for (const other of this.lab.nodes) {
      await eventually(`${name} to be up for ${other.name}`, async () => {
        return (await this.lab.nodeList(other.name)).find((node) => node.name === name)?.state === 'up' ? true : null;
      });
    }
  }

  /** No guest is left anywhere. */
  async untilIdle(): Promise<void> {
    for (const { name } of this.lab.nodes) {
      await eventually(`${name} to have no guest`, async () => {
        const node = (await this.lab.nodeList(name)).find((one) => one.name === name);
        return node?.processes === 0 ? true : null;
      });
    }
    assert.deepEqual(await this.lab.ps(), []);
  }

  checkLost({ stderr, status }: Result, node: string): void {
    const { id } = this.lab.node(node);
    assert.match(stderr, new RegExp(`^godwit: .*\\bnode ${id}\\b.*\\n$|^godwit: .*\\b${node}\\b.*\\n$`));
    assert.equal(status, 137);
  }
}

/** Whether a program ended as if nothing had happened. */
export function isRight(run: FixtureRun, { stdout, stderr, status }: Result): boolean {
  return createHash('sha256').update(stdout).digest('hex').startsWith(run.stdout) && stderr === '' && status === 0;
}

export function checkRight(run: FixtureRun, result: Result): void {
  assert(isRight(run, result), JSON.stringify(result));
}
