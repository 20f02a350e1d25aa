/** Runs the steps of a script in a world and says what of it went as the script demands. */
import assert from 'node:assert/strict';
import type { CheckCall } from './checks.ts';
import type { Expected } from './script.ts';
import { Refused, outcomeOf } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { InstancePlan, Step } from './plan.ts';
import type { Guest, World } from './world.ts';

/** How one step ended: what {@link Outcome} it had, and why that is wrong, '' if it is right. */
export interface StepResult {
  readonly step: Step;
  readonly outcome: Outcome;
  readonly wrong: string;
}

/** Runs all steps, each whatever became of those before it. Steps that do not concern a world have no result. */
export function runSteps(steps: readonly Step[], world: World): StepResult[] {
  const runner = new Runner(world);
  return steps.flatMap((step) => {
    const result = runner.step(step);
    return result === null ? [] : [{ step, ...result }];
  });
}

type Result = { readonly outcome: Outcome; readonly wrong: string };

class Runner {
  readonly #world: World;
  readonly #guests = new Map<InstancePlan, Guest | Refused>();
  readonly #names = new Map<InstancePlan, string[]>();

  constructor(world: World) {
    this.#world = world;
  }

  step(step: Step): Result | null {
    switch (step.type) {
      case 'instantiate': {
        const outcome = this.#instantiate(step.instance);
        return { outcome, wrong: wrongEnd('returned', outcome) };
      }
      case 'instantiate-fails': {
        const outcome = this.#instantiate(step.instance);
        return { outcome, wrong: wrongEnd(step.why === 'trap' ? 'trap' : 'link', outcome) };
      }
      case 'register': {
        const { instance, as } = step;
        this.#world.register(as, this.#guests.get(instance)!);
        this.#names.set(instance, [...(this.#names.get(instance) ?? []), as]);
        return null;
      }
      case 'check': {
        const call = step.instance.module.calls[step.number];
        const outcome = outcomeOf(
          () => this.#check(step.instance, call),
          (trap) => this.#where(step.instance, trap),
        );
        return { outcome, wrong: wrongResult(step.check.expected, call?.returned ?? [], outcome) };
      }
      default:
        return null;
    }
  }

  #check(instance: InstancePlan, call: CheckCall | undefined): unknown {
    const guest = this.#guests.get(instance)!;
    if (guest instanceof Refused) throw guest;
    assert(call !== undefined, 'an instance of a module without its checks');
    const choice = call.choice === null ? [] : [call.choice];
    return guest.call(call.export, [...choice, ...call.hosts.map(hostObject)]);
  }

  /** Frames of several instances cannot be told apart by their numbers. */
  #where(instance: InstancePlan, trap: WebAssembly.RuntimeError): string {
    const guest = this.#guests.get(instance)!;
    const alone = instance.capturing === 'fresh' && instance.uses.size === 0;
    return alone && !(guest instanceof Refused) ? guest.frames(trap).slice(0, FRAMES).join(' ') : '';
  }

  /** An instance that could not be made is like one that was refused: nothing can be done with it. */
  #instantiate(plan: InstancePlan): Outcome {
    let guest: Guest | null = null;
    const outcome = outcomeOf(() => {
      if (plan.module.compiled === null) throw new Refused(`V8: ${plan.module.broken}`);
      guest = this.#world.instantiate(plan);
    });
    const feature = outcome.type === 'refused' ? outcome.feature : `an instance that ended by ${outcome.type}`;
    this.#guests.set(plan, guest ?? new Refused(feature));
    if (outcome.type === 'refused') for (const other of plan.uses) this.#spoil(other, feature);
    return outcome;
  }

  /** What a module that was refused would have done to the instances that it imports from is missing from now on. */
  #spoil(instance: InstancePlan, feature: string): void {
    const refused = new Refused(feature);
    this.#guests.set(instance, refused);
    for (const name of this.#names.get(instance) ?? []) this.#world.register(name, refused);
  }
}

/** Frames of a trap that are compared; V8 records ten, some of which are helpers in a rewritten module. */
const FRAMES = 4;

const hostObjects = new Map<number, object>();

/** The object that stands for `ref.extern n`. */
function hostObject(n: number): object {
  let found = hostObjects.get(n);
  if (found === undefined) hostObjects.set(n, (found = { host: n }));
  return found;
}

function wrongEnd(wanted: Outcome['type'], outcome: Outcome): string {
  if (outcome.type === wanted || outcome.type === 'refused') return '';
  return `ended by ${describe(outcome)}, ${wanted} is wanted`;
}

const ENDS = { trap: 'trap', exhaustion: 'exhaustion', exception: 'exception', none: 'returned' } as const;

function wrongResult(expected: Expected, returned: readonly number[], outcome: Outcome): string {
  if (expected.type !== 'return') return wrongEnd(ENDS[expected.type], outcome);
  if (outcome.type !== 'returned') return wrongEnd('returned', outcome);
  const [right, ...hosts] = [outcome.value].flat();
  if (right === 1 && hosts.every((host, i) => host === hostObject(returned[i]!))) return '';
  return 'the result is another one';
}

function describe(outcome: Outcome): string {
  return outcome.type === 'trap' ? `trap (${outcome.message}) at ${outcome.where}` : outcome.type;
}

/**
 * What is wrong with a run of a rewritten script: a result that the script does not want, or an end that the original
 * did not have. Nothing is wrong with a step that was refused.
 * @param original the results of the same steps in the world of originals
 */
export function differences(original: readonly StepResult[], rewritten: readonly StepResult[]): Problem[] {
  return rewritten.flatMap(({ step, outcome, wrong }, i) => {
    const expected = original[i]!.outcome;
    const same = outcome.type === 'refused' || describe(outcome) === describe(expected);
    const text = wrong !== '' || same ? wrong : `ended by ${describe(outcome)}, the original by ${describe(expected)}`;
    return text === '' ? [] : [{ line: step.line, text }];
  });
}

/** A step that went wrong. */
export interface Problem {
  readonly line: number;
  readonly text: string;
}
