/** What nodes ask each other besides moving processes. Types 0x80 to 0x8f. */
import { bytes, oneOf, str, u32 } from '../../base/schema.ts';
import { LIMITS } from '../../base/limits.ts';
import type { FrameTable } from './table.ts';

/** Questions between nodes; their bodies are in node/cluster/questions.ts. New ones go to the end. */
const QUESTIONS = ['processes', 'status', 'kill', 'wait', 'token'] as const;

const body = bytes(LIMITS.questionBytes);

export const NODE_FRAMES = {
  ask: {
    type: 0x80,
    doc: 'Asks the peer something; it answers with `told` or `ask_failed` of the same id.',
    fields: { id: u32, what: oneOf(...QUESTIONS), body },
  },
  told: {
    type: 0x81,
    doc: 'The answer to an `ask`.',
    fields: { id: u32, body },
  },
  ask_failed: {
    type: 0x82,
    doc: 'An `ask` cannot be answered. `code` is one of the error codes of base/errors.ts.',
    fields: { id: u32, code: str, reason: str },
  },
} as const satisfies FrameTable;
