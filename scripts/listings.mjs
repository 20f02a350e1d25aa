/**
 * The listings of docs/CAPTURE.md. They are what the engine makes of the small modules that stand there too:
 *
 *     <!-- module NAME -->            before a block of the text format
 *     <!-- listing NAME $function changes -->
 *                                     before a block that is written from it; instead of `changes`:
 *                                     `safepoints`, `frame`, `continuation SITE`; and `body` behind that leaves out what
 *                                     is the same in every function: the handler, and in a continuation the restoring
 */
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { Description } from '../src/capture/description/describe.ts';
import { changes, frameLines, listing, safepointLines } from '../src/cli/listing.ts';
import { decodeModule } from '../src/wasm/decode.ts';

const MODULE = /<!-- module (\w+) -->\n```wat\n([^]*?)\n```/g;
const LISTING = /<!-- listing (\w+) (\S+) (.*?) -->\n```(\w*)\n[^]*?```/g;

/** @returns the document with its listings as they should be */
export async function renderListings(document) {
  const modules = new Map();
  for (const [, name, text] of document.matchAll(MODULE)) {
    modules.set(name, new Description(decodeModule(await parse(text))));
  }
  return document.replaceAll(LISTING, (_all, name, which, form, language) => {
    const description = modules.get(name);
    if (description === undefined) throw new Error(`docs/CAPTURE.md has no module ${name}`);
    const lines = written(description, description.find(which), form.split(' '));
    return `<!-- listing ${name} ${which} ${form} -->\n\`\`\`${language}\n${lines.join('\n')}\n\`\`\``;
  });
}

function written(description, index, form) {
  const isBody = form.at(-1) === 'body';
  const [kind, site] = form;
  switch (kind) {
    case 'safepoints':
      return safepointLines(description.describe(index));
    case 'frame':
      return frameLines(description.describe(index));
    case 'continuation': {
      const lines = description.continuation(index, Number(site));
      return listing(isBody ? body(lines) : lines);
    }
    case 'changes': {
      const after = description.rewritten(index);
      return changes(withoutEnd(description.original(index)), isBody ? body(after) : withoutEnd(after));
    }
    default:
      throw new Error(`docs/CAPTURE.md wants a listing of ${form.join(' ')}`);
  }
}

/** The last `end` of a function is not written in the text format. */
function withoutEnd(lines) {
  return lines.slice(0, -1);
}

/** What stands in the try_table that is around every function that can be captured. */
function body(lines) {
  const first = lines.findIndex(({ depth, text }) => depth === 1 && text.startsWith('try_table'));
  const end = lines.findIndex(({ depth, text }, i) => i > first && depth === 1 && text === 'end');
  return lines.slice(first + 1, end).map(({ text, depth }) => ({ text, depth: depth - 2 }));
}
