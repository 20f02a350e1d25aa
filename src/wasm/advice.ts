/** What whoever has a module can do about it when it is refused. */
import { type ErrorCode, GodwitError } from '../base/errors.ts';

/** A file that is no module is told what it seems to be (preamble.ts), and imports each by name: these say more. */
const ADVICE: { readonly [C in ErrorCode]?: string } = {
  invalid_module: 'the file is damaged or was built wrongly: build or copy it again',
  unsupported_feature: 'build it without that',
};

/**
 * A module that V8 refuses though it is valid: V8 has limits of its own, of tables, for example. Without V8's place, which
 * is one of the rewritten module.
 */
export function refusedByV8(error: WebAssembly.CompileError): GodwitError {
  const reason = error.message.replace(/^WebAssembly\.\w+\(\): /, '').replace(/ @\+\d+$/, '');
  return new GodwitError('invalid_module', `the engine refuses it: ${reason}`, { cause: error });
}

/** The message of a refusal with what helps. */
export function withAdvice({ code, message }: GodwitError): string {
  const advice = ADVICE[code];
  return advice === undefined ? message : `${message}; ${advice}`;
}

/** What kind of refusal it is to whoever wants to run the module: one that is beyond a limit is no program that can run. */
export function refusalCode({ code }: GodwitError): ErrorCode {
  return code === 'limit' ? 'not_runnable' : code;
}
