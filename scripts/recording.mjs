/**
 * Records a command in a terminal of fixed size and writes what it showed as an animated SVG without scripts:
 *
 *     node scripts/recording.mjs docs/demo.svg node bin/godwit demo
 *
 * tmux is the terminal: it holds the screen, so that nothing here has to understand cursor movements, only colours.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const COLUMNS = 90;
const ROWS = 30;
/** Between two looks at the screen. */
const INTERVAL_MS = 600;
/** Pictures of a recording: of a long one some are left out, evenly. */
const MOST_PICTURES = 45;
/** How long the last picture stays before the recording begins again. */
const LAST_MS = 6000;
const LIMIT_MS = 5 * 60_000;
const CELL = { width: 7.8, height: 17 };
const MARGIN = 14;

/** Classes by the number that selects a graphic rendition (ECMA-48, 8.3.117). */
const CLASSES = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 33: 'y', 34: 'u', 35: 'm', 36: 'c' };
const STYLE = `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d7dae0;white-space:pre}
.b{font-weight:700}.d{fill:#8b93a1}.r{fill:#e06c75}.g{fill:#98c379}.y{fill:#e5c07b}.u{fill:#61afef}.m{fill:#c678dd}.c{fill:#56b6c2}`;

const [file, ...command] = process.argv.slice(2);
if (!file || command.length === 0) {
  console.error('usage: node scripts/recording.mjs OUT.svg COMMAND ARGS...');
  process.exit(2);
}
writeFileSync(file, picture(await record(command)));

/** @returns {Promise<string[][]>} pictures, each as lines with escape sequences for colours; no two neighbours are equal */
async function record(words) {
  const quoted = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  // The pane stays when the command has ended, so that its last picture can be taken.
  tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(COLUMNS), '-y', String(ROWS), `${quoted}; sleep 60`);
  const frames = [];
  try {
    for (let waited = 0; waited < LIMIT_MS; waited += INTERVAL_MS) {
      await new Promise((resolve) => {
        setTimeout(resolve, INTERVAL_MS);
      });
      const ended = tmux('display', '-p', '#{pane_current_command}').trim() === 'sleep';
      const lines = tmux('capture-pane', '-p', '-e').trimEnd().split('\n');
      if (lines.join('\n') !== frames.at(-1)?.join('\n') && lines.some((line) => line !== '')) frames.push(lines);
      if (ended) return frames;
    }
    throw new Error('the command did not end');
  } finally {
    tmux('kill-server');
  }
}

/** One call of tmux, on a server of our own. @returns {string} what it prints */
function tmux(...args) {
  return execFileSync('tmux', ['-L', `recording-${process.pid}`, ...args], { encoding: 'utf8' });
}

/** A film strip of all pictures, one under the other, behind a window that jumps from one to the next. */
function picture(recorded) {
  const every = Math.ceil(recorded.length / MOST_PICTURES);
  const frames = recorded.filter((_, i) => (recorded.length - 1 - i) % every === 0);
  const interval = every * INTERVAL_MS;
  const width = Math.ceil(COLUMNS * CELL.width) + 2 * MARGIN;
  const height = Math.max(...frames.map(({ length }) => length)) * CELL.height + 2 * MARGIN;
  const total = frames.length * interval + LAST_MS;
  const stops = frames.map((_, i) => {
    const percent = ((100 * i * interval) / total).toFixed(2);
    return `${percent}%{transform:translateY(${-i * height}px)}`;
  });
  // A line that several pictures have is written once.
  const ids = new Map();
  const define = (line) => {
    if (!ids.has(line)) ids.set(line, `l${ids.size}`);
    return ids.get(line);
  };
  const pictures = frames.map((lines, i) => {
    const uses = coloured(lines).map((line, row) => {
      const y = i * height + MARGIN + (row + 0.8) * CELL.height;
      return line === '' ? '' : `<use href="#${define(line)}" x="${MARGIN}" y="${y.toFixed(1)}"/>`;
    });
    return uses.join('');
  });
  const definitions = [...ids].map(([line, id]) => `<text id="${id}" xml:space="preserve">${line}</text>`);
  const last = `translateY(${-(frames.length - 1) * height}px)`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>${STYLE}
.film{animation:film ${total / 1000}s steps(1) infinite}@keyframes film{${stops.join('')}100%{transform:${last}}}
@media (prefers-reduced-motion:reduce){.film{animation:none;transform:${last}}}</style>
<defs>
${definitions.join('\n')}
</defs>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
<g class="film">
${pictures.join('\n')}
</g>
</svg>
`;
}

/** The lines of one picture as SVG text, colours as classes. tmux switches a colour off only where another one begins. */
function coloured(lines) {
  let active = new Set();
  return lines.map((line) => {
    // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
    const parts = line.split(/\u001b\[([\d;]*)m/).map((part, i) => {
      if (i % 2 === 1) {
        for (const code of part.split(';').map(Number)) active = after(active, code);
        return '';
      }
      const text = part.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
      return active.size === 0 || part.trim() === '' ? text : `<tspan class="${[...active].join(' ')}">${text}</tspan>`;
    });
    return parts.join('');
  });
}

/** What is switched on after a code. 22 ends both weights, 39 the colour, 0 all. */
function after(active, code) {
  const colours = new Set([...active].filter((name) => name !== 'b' && name !== 'd'));
  const weights = new Set([...active].filter((name) => name === 'b' || name === 'd'));
  if (code === 0) return new Set();
  if (code === 22) return colours;
  if (code === 39) return weights;
  const name = CLASSES[code];
  if (name === undefined) return active;
  return code < 30 ? new Set([...active, name]) : new Set([...weights, name]);
}
