/**
 * What can go wrong, as a table: a stable code, the exit status of a command that ends with it, and who has to act.
 * Inside Godwit failures are `GodwitError`s with one of these codes; a guest sees errno numbers (abi/errno.ts);
 * a broken assumption of ours is an `AssertionError` (base/assert.ts) and ends the daemon, but for one request alone
 * ({@link requestFailure}).
 */
import type { Log } from './env.ts';

export const ERROR_CODES = {
  usage: { exit: 2, meaning: 'the command line is wrong' },
  internal: { exit: 125, meaning: 'Godwit itself failed' },
  not_found: { exit: 127, meaning: 'the program file does not exist' },
  not_runnable: { exit: 126, meaning: 'the file cannot be run as a program' },
  not_a_module: { exit: 126, meaning: 'the bytes are not a WebAssembly module' },
  invalid_module: { exit: 126, meaning: 'the module breaks a rule of the WebAssembly specification' },
  unsupported_feature: { exit: 126, meaning: 'the module uses a feature that Godwit does not take' },
  unknown_import: { exit: 126, meaning: 'the module imports something that no one provides' },
  no_daemon: { exit: 125, meaning: 'no node answers on the control socket' },
  unknown_node: { exit: 1, meaning: 'no node has that name or id' },
  unknown_process: { exit: 1, meaning: 'no process has that pid' },
  node_down: { exit: 1, meaning: 'the node does not answer' },
  cannot_move: { exit: 1, meaning: 'the process has a stay reason' },
  move_refused: { exit: 1, meaning: 'the target node refuses the process' },
  move_failed: { exit: 1, meaning: 'the move broke off; the process runs on where it was' },
  token_invalid: { exit: 1, meaning: 'the join token is unknown, expired or used' },
  version_mismatch: { exit: 1, meaning: 'the peer is of a build that cannot work with this one' },
  state_in_use: { exit: 1, meaning: 'another daemon uses the state directory' },
  address_in_use: { exit: 1, meaning: 'the address to listen on is taken' },
  io: { exit: 1, meaning: 'the operating system refused a file or socket operation' },
  limit: { exit: 1, meaning: 'a named limit of base/limits.ts is reached' },
  protocol: { exit: 1, meaning: 'a peer broke the protocol' },
  corrupt: { exit: 1, meaning: 'stored bytes fail their check' },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A failure with a stable code and a message that names the thing, the reason and, where there is one, the way out. */
export class GodwitError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GodwitError';
    this.code = code;
  }

  /** The exit status of a command that ends with this error. */
  get exitStatus(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** What an error says, without the name of its class: for the log. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * What whoever made a request is told of the error that it ended with. One request must not end a node and all that
 * runs there: an error that is no GodwitError is a bug of ours, and goes to the log with its stack.
 * @param request names it for the log
 */
export function requestFailure(error: unknown, log: Log, request: string): GodwitError {
  if (error instanceof GodwitError) return error;
  const stack = error instanceof Error ? error.stack : String(error);
  log.error('a request failed because of a bug', { request, stack });
  return new GodwitError('internal', `a bug of Godwit, see the node's log: ${messageOf(error)}`, { cause: error });
}
