/** A reporter for Node's test runner: one line of JSON for each event that a round of `npm run torture` is made of. */
import { inspect } from 'node:util';
import type { TestEvent } from 'node:test/reporters';

/** What the lines say. */
export type RoundEvent =
  | { readonly type: 'count'; readonly amount: number; readonly what: string }
  | { readonly type: 'failed'; readonly test: string; readonly file: string; readonly error: string };

/** What tests tell about themselves: `1234 captures`, maybe with more behind a comma. The runner's own have the word first. */
const COUNT = /^(\d+) ([a-z][a-z ]*)(?:,|$)/;

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) for (const made of translated(event)) yield `${JSON.stringify(made)}\n`;
}

function translated({ type, data }: TestEvent): RoundEvent[] {
  if (type === 'test:diagnostic') return counts(data.message);
  // Of what is written without a test's name.
  if (type === 'test:stdout') return data.message.split('\n').flatMap(counts);
  if (type === 'test:pass' && data.details.type !== 'suite') {
    return [{ type: 'count', amount: 1, what: data.skip === undefined ? 'tests' : 'skipped tests' }];
  }
  if (type !== 'test:fail') return [];
  const { details, name: test, file = '' } = data;
  const { error } = details;
  // The failure of a file or a group repeats that of a test in it.
  if ('failureType' in error && error.failureType === 'subtestsFailed') return [];
  const { cause = error } = error;
  return [{ type: 'failed', test, file, error: typeof cause === 'string' ? cause : inspect(cause, { depth: 4 }) }];
}

function counts(text: string): RoundEvent[] {
  const [, amount, what] = COUNT.exec(text) ?? [];
  return what === undefined ? [] : [{ type: 'count', amount: Number(amount), what }];
}
