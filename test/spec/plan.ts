/**
 * A script made ready to run: names resolved to modules and instances, texts turned into binaries with their checks
 * (checks.ts), and known for each instance how it can be captured, given what it shares with others.
 */
import { exportIndices, withChecks } from './checks.ts';
import type { Check, CheckCall } from './checks.ts';
import type { Command, ModuleSource, Refusal } from './script.ts';
import { moduleBytes, moduleText } from './text.ts';

/** A module's binary; `broken` says why there is none, or why V8 refuses it. */
export interface ModulePlan {
  readonly line: number;
  bytes: Uint8Array<ArrayBuffer>;
  compiled: WebAssembly.Module | null;
  broken: string;
  calls: readonly CheckCall[];
}

/**
 * `fresh`: each capture is resumed in a fresh instance. `in place`: others import from the instance, and their references
 * would be to one of the past, so it is resumed in the same one. `never`: a table has functions of several instances, so
 * frames of one can lie between those of another, where no capture can reach them.
 */
export type Capturing = 'fresh' | 'in place' | 'never';

export interface InstancePlan {
  readonly module: ModulePlan;
  /** How it can be captured, see {@link Capturing}. */
  capturing: Capturing;
  /** The instances that it imports from. */
  readonly uses: Set<InstancePlan>;
}

export type Step = { readonly line: number } & (
  | { readonly type: 'instantiate'; readonly instance: InstancePlan }
  | { readonly type: 'register'; readonly as: string; readonly instance: InstancePlan }
  | { readonly type: 'check'; readonly instance: InstancePlan; readonly check: Check; readonly number: number }
  /** `bytes` is null if the text cannot be made a binary: then the reader of the text has done what is wanted. */
  | { readonly type: 'refuse'; readonly why: 'malformed' | 'invalid'; readonly bytes: Uint8Array<ArrayBuffer> | null }
  | { readonly type: 'instantiate-fails'; readonly why: 'unlinkable' | 'trap'; readonly instance: InstancePlan }
);

export async function planScript(commands: readonly Command[]): Promise<Step[]> {
  const planner = new Planner();
  for (const command of commands) planner.command(command);
  return planner.finish();
}

/** A module of the script, and the checks on its instances. */
interface Draft {
  readonly plan: ModulePlan;
  readonly source: ModuleSource;
  readonly checks: Check[];
}

class Planner {
  readonly #steps: Step[] = [];
  readonly #drafts = new Map<ModulePlan, Draft>();
  readonly #refusals: { at: number; why: 'malformed' | 'invalid'; source: ModuleSource }[] = [];
  readonly #definitions = new Map<string, ModulePlan>();
  readonly #instances = new Map<string, InstancePlan>();
  #lastDefinition: ModulePlan | null = null;
  #lastInstance: InstancePlan | null = null;

  command(command: Command): void {
    const { line } = command;
    switch (command.type) {
      case 'module': {
        const plan = this.#draft(line, command.source);
        this.#lastDefinition = plan;
        if (command.name !== null) this.#definitions.set(command.name, plan);
        if (command.instantiate) this.#instantiate(line, command.name, plan);
        return;
      }
      case 'instance': {
        const plan = command.definition === null ? this.#lastDefinition : this.#definitions.get(command.definition);
        this.#instantiate(line, command.name, known(plan, command.definition));
        return;
      }
      case 'register':
        this.#steps.push({ line, type: 'register', as: command.as, instance: this.#instance(command.instance) });
        return;
      case 'action': {
        const { action, expected } = command;
        const instance = this.#instance(action.instance);
        const { checks } = this.#drafts.get(instance.module)!;
        const check = { action, expected };
        this.#steps.push({ line, type: 'check', instance, check, number: checks.push(check) - 1 });
        return;
      }
      case 'refuse':
        return this.#refuse(line, command.why, command.source);
    }
  }

  #refuse(line: number, why: Refusal, source: ModuleSource): void {
    if (why === 'unlinkable' || why === 'trap') {
      const instance = newInstance(this.#draft(line, source));
      this.#steps.push({ line, type: 'instantiate-fails', why, instance });
      return;
    }
    if (source.type === 'quote') return;
    this.#refusals.push({ at: this.#steps.length, why, source });
    this.#steps.push({ line, type: 'refuse', why, bytes: null });
  }

  #draft(line: number, source: ModuleSource): ModulePlan {
    const plan: ModulePlan = { line, bytes: new Uint8Array(0), compiled: null, broken: '', calls: [] };
    this.#drafts.set(plan, { plan, source, checks: [] });
    return plan;
  }

  #instantiate(line: number, name: string | null, module: ModulePlan): void {
    const instance = newInstance(module);
    this.#lastInstance = instance;
    if (name !== null) this.#instances.set(name, instance);
    this.#steps.push({ line, type: 'instantiate', instance });
  }

  #instance(name: string | null): InstancePlan {
    return known(name === null ? this.#lastInstance : this.#instances.get(name), name);
  }

  async finish(): Promise<Step[]> {
    for (const draft of this.#drafts.values()) await build(draft);
    for (const { at, why, source } of this.#refusals) {
      const bytes = await sourceBytes(source).catch(() => null);
      this.#steps[at] = { line: this.#steps[at]!.line, type: 'refuse', why, bytes };
    }
    findLinks(this.#steps);
    return this.#steps;
  }
}

function newInstance(module: ModulePlan): InstancePlan {
  return { module, capturing: 'fresh', uses: new Set() };
}

function known<T>(found: T | null | undefined, name: string | null): T {
  if (found === null || found === undefined) throw new Error(`the script has no ${name ?? 'module'} before`);
  return found;
}

async function sourceBytes(source: ModuleSource): Promise<Uint8Array<ArrayBuffer>> {
  return source.type === 'binary' ? source.bytes : moduleBytes(await sourceText(source));
}

async function sourceText(source: ModuleSource): Promise<string> {
  if (source.type === 'text') return source.text;
  if (source.type === 'binary') return moduleText(source.bytes);
  return `(module ${new TextDecoder('utf-8', { fatal: true }).decode(source.bytes)})`;
}

async function build({ plan, source, checks }: Draft): Promise<void> {
  try {
    plan.bytes = await sourceBytes(source);
    if (checks.length > 0) {
      const { text, calls } = withChecks(await sourceText(source), checks, exportIndices(plan.bytes));
      plan.bytes = await moduleBytes(text);
      plan.calls = calls;
    }
    plan.compiled = new WebAssembly.Module(plan.bytes);
  } catch (error) {
    plan.broken = error instanceof Error ? error.message : String(error);
  }
}

/** The names of the registry are known without running anything: who imports from whom follows from them. */
function findLinks(steps: readonly Step[]): void {
  const registry = new Map<string, InstancePlan>();
  for (const step of steps) {
    if (step.type === 'register') registry.set(step.as, step.instance);
    if (step.type !== 'instantiate' && step.type !== 'instantiate-fails') continue;
    const { instance } = step;
    if (instance.module.compiled === null) continue;
    for (const { module, kind } of WebAssembly.Module.imports(instance.module.compiled)) {
      const other = registry.get(module);
      if (other !== undefined) {
        instance.uses.add(other);
        if (other.capturing === 'fresh') other.capturing = 'in place';
      }
      if (kind !== 'table') continue;
      instance.capturing = 'never';
      if (other !== undefined) other.capturing = 'never';
    }
  }
}
