/**
 * Where the modules of one run of a script live: the instances, the names under which they are registered, `spectest`.
 * There are three kinds: the originals in plain V8 (below), rewritten ones, and captured ones (rewritten.ts,
 * captured.ts).
 */
import { Refused } from './outcome.ts';
import type { InstancePlan } from './plan.ts';
import { spectestFunctions, spectestObjects } from './spectest.ts';

/** A live instance. */
export interface Guest {
  readonly exports: WebAssembly.Exports;
  /** Calls an exported function; traps and exceptions are thrown. */
  call(name: string, args: readonly unknown[]): unknown;
  /** The frames of a trap of this instance, as function indices and offsets in the original module, innermost first. */
  frames(trap: WebAssembly.RuntimeError): string[];
}

export abstract class World {
  /** What the scripts printed, in order. */
  readonly printed: string[] = [];
  readonly #spectest: WebAssembly.ModuleImports;
  readonly #registry = new Map<string, Guest | Refused>();

  constructor(sharedMemory: boolean) {
    this.#spectest = spectestObjects(sharedMemory);
  }

  /** Instantiates and starts. @throws WebAssembly.LinkError, a trap, Refused, GodwitError `unsupported_feature` */
  abstract instantiate(instance: InstancePlan): Guest;

  register(name: string, guest: Guest | Refused): void {
    this.#registry.set(name, guest);
  }

  /**
   * What a module imports; a thing that is not there is undefined, which fails when the module is linked.
   * @param imports the wanted ones, without those that the caller provides
   * @param print told of each call of a function of `spectest`
   */
  protected imports(
    imports: readonly { readonly module: string; readonly name: string }[],
    print: (call: string) => void,
  ): WebAssembly.Imports {
    const found: Record<string, WebAssembly.ModuleImports> = {};
    let functions: WebAssembly.ModuleImports | null = null;
    for (const { module, name } of imports) {
      const values = (found[module] ??= {});
      if (module === 'spectest') {
        functions ??= spectestFunctions(print);
        values[name] = (functions[name] ?? this.#spectest[name])!;
      } else values[name] = this.#registered(module, name)!;
    }
    return found;
  }

  /** The memory of `spectest` that is shared. */
  protected get sharedMemory(): WebAssembly.ImportValue | undefined {
    return this.#spectest['shared_memory'];
  }

  #registered(module: string, name: string): WebAssembly.ImportValue | undefined {
    const guest = this.#registry.get(module);
    if (guest instanceof Refused) throw guest;
    return guest?.exports[name];
  }
}

/** The modules as they are. */
export class OriginalWorld extends World {
  constructor() {
    super(false);
  }

  override instantiate({ module }: InstancePlan): Guest {
    const compiled = module.compiled!;
    const imports = this.imports(WebAssembly.Module.imports(compiled), (call) => this.printed.push(call));
    const { exports } = new WebAssembly.Instance(compiled, imports);
    const call = (name: string, args: readonly unknown[]): unknown =>
      (exports[name] as (...args: unknown[]) => unknown)(...args);
    return { exports, call, frames: originalFrames };
  }
}

function originalFrames(trap: WebAssembly.RuntimeError): string[] {
  const entries = (trap.stack ?? '').matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g);
  return Array.from(entries, ([, index, offset]) => `${index}@${offset}`);
}
