/**
 * Loaded into a command by `--import`: makes it one of another build, with a later engine (`?engine`) or a later
 * protocol (`?protocol`), by changing its source as it is loaded.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const CHANGES: readonly { readonly what: string; readonly file: string; readonly from: RegExp; readonly to: string }[] =
  [
    {
      what: '?engine',
      file: '/src/capture/layout/facts.ts',
      from: /ENGINE_VERSION = \d+/,
      to: 'ENGINE_VERSION = 4711',
    },
    { what: '?protocol', file: '/src/link/greeting.ts', from: /min: \d+, max: \d+/, to: 'min: 4711, max: 4711' },
  ];

const change = CHANGES.find(({ what }) => what === new URL(import.meta.url).search) ?? assert.fail('no such build');

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith(change.file)) return loaded;
    const source = readFileSync(new URL(url), 'utf8');
    assert.match(source, change.from);
    return { ...loaded, source: source.replace(change.from, change.to) };
  },
});
