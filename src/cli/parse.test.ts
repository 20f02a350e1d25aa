import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Command, optionsOf } from './command.ts';
import { COMMANDS } from './commands.ts';
import { commandHelp, overview, wrap } from './help.ts';
import { parseInvocation } from './parse.ts';
import { editDistance, nearest } from './suggest.ts';

const find = (name: string): Command => COMMANDS.find((command) => command.name === name)!;
const parse = (name: string, ...words: string[]) => parseInvocation(find(name), words);
const refused = (message: RegExp, name: string, ...words: string[]): void => {
  assert.throws(() => parse(name, ...words), { code: 'usage', message });
};

test('options in every form', () => {
  const up = parse('up', '--name', 'a', '--listen=127.0.0.1:0', '--detach');
  assert.equal(up.value('name'), 'a');
  assert.equal(up.value('listen'), '127.0.0.1:0');
  assert.equal(up.flag('detach'), true);
  assert.equal(up.flag('json'), false);
  assert.equal(parse('rewrite', 'in.wasm', '-o', 'out.wasm').value('output'), 'out.wasm');
  assert.equal(parse('rewrite', '-oout.wasm', 'in.wasm').value('output'), 'out.wasm');
  assert.deepEqual(parse('run', '--dir', 'a', '--dir', 'b::c', 'p').values('dir'), ['a', 'b::c']);
});

test("behind the program's name everything is the program's", () => {
  assert.deepEqual(parse('run', '--pin', 'p.wasm', '--pin', '-x', '--', '--help').args, [
    'p.wasm',
    '--pin',
    '-x',
    '--',
    '--help',
  ]);
  assert.deepEqual(parse('run', '--', '--odd.wasm', '-x').args, ['--odd.wasm', '-x']);
  assert.deepEqual(parse('lab', '-n', '5', '--', 'ls', '-l').args, ['ls', '-l']);
  assert.deepEqual(parse('lab', 'ls', '-n').args, ['ls', '-n']);
  assert.equal(parse('run', '--hop', '20ms', 'p', '--hop', '1s').value('hop'), '20ms');
});

test('a wrong command line is refused with a way out', () => {
  refused(/unknown option --detch; did you mean --detach\?/, 'run', '--detch', 'p');
  refused(/unknown option --zzzzzz;/, 'ps', '--zzzzzz');
  refused(/unknown option -x/, 'ps', '-x');
  refused(/--name needs a value \(NAME\)/, 'up', '--name');
  refused(/--json takes no value/, 'ps', '--json=yes');
  refused(/--name is given twice/, 'up', '--name', 'a', '--name', 'b');
  refused(/migrate: NODE\|home is missing/, 'migrate', '65537');
  refused(/unexpected argument "c"/, 'migrate', '65537', 'b', 'c');
  refused(/PROGRAM.wasm \[ARGS...\] is missing/, 'run');
});

test('kill takes signals as kill(1) does', () => {
  for (const [words, signal, args] of [
    [['-9', '65537'], '9', ['65537']],
    [['-TERM', '65537'], 'TERM', ['65537']],
    [['-SIGKILL', '1', '2'], 'SIGKILL', ['1', '2']],
    [['-s', 'INT', '65537'], 'INT', ['65537']],
    [['--signal=hup', '65537'], 'hup', ['65537']],
    [['65537'], undefined, ['65537']],
    [['-0', '65537'], '0', ['65537']],
    [['-FOO', '65537'], 'FOO', ['65537']],
  ] as const) {
    const invocation = parse('kill', ...words);
    assert.equal(invocation.value('signal'), signal);
    assert.deepEqual(invocation.args, args);
  }
  for (const socket of [['--socket', '/s'], ['--socket=/s']]) {
    const invocation = parse('kill', ...socket, '-STOP', '65537');
    assert.deepEqual(
      [invocation.value('socket'), invocation.value('signal'), invocation.args],
      ['/s', 'STOP', ['65537']],
    );
    refused(/unknown option -9/, 'kill', ...socket, '65537', '-9');
  }
  assert.equal(parse('kill', '-l').flag('list'), true);
  assert.equal(parse('kill', '-h').flag('help'), true);
  refused(/unknown option -9/, 'kill', '65537', '-9');
});

test('--help needs no arguments', () => {
  for (const command of COMMANDS) assert.equal(parseInvocation(command, ['--help']).flag('help'), true);
});

test('any words are an invocation or a usage error', () => {
  const word = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom(
      '--',
      '-',
      '--dir',
      '--json',
      '-n',
      '-9',
      '--=',
      '--help',
      '-',
      '--no-json',
      '__proto__',
      '--__proto__',
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...COMMANDS), fc.array(word, { maxLength: 6 }), (command, words) => {
      try {
        parseInvocation(command, words);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'usage');
      }
    }),
    { numRuns: 1000 },
  );
});

test('every command and option is in the help, nothing is too wide, and every example is a right command line', () => {
  const all = overview(COMMANDS, '1.2.3');
  assert.match(all, /1\.2\.3/);
  for (const command of COMMANDS) {
    assert.ok(all.includes(`  ${command.name}`), command.name);
    assert.ok(all.includes(command.summary.slice(0, 30)), command.name);
    const help = commandHelp(command);
    for (const { name, value, summary } of optionsOf(command)) {
      assert.ok(help.includes(`--${name}${value ? ` ${value}` : ''}`), `${command.name} --${name}`);
      assert.ok(help.includes(summary.split(' ').slice(0, 3).join(' ')), `${command.name} --${name}`);
    }
    for (const line of `${help}\n${all}`.split('\n')) assert.ok(line.length <= 100, line);
    assert.ok(command.examples.length > 0);
    for (const [line] of command.examples) {
      const words = /(?:^|\()godwit ([^;)]*)/.exec(line)![1]!.split(' ');
      assert.equal(words[0], command.name);
      parseInvocation(command, words.slice(1));
    }
  }
});

test('the contract: commands and options of the issue are there', () => {
  const contract: Record<string, readonly string[]> = {
    lab: ['nodes'],
    up: ['name', 'listen', 'join', 'token', 'state', 'detach'],
    down: [],
    token: [],
    run: ['node', 'dir', 'env', 'cwd', 'listen', 'pin', 'detach', 'hop', 'stats'],
    ps: ['json'],
    nodes: ['json'],
    migrate: [],
    kill: [],
    wait: [],
    logs: [],
    rewrite: ['output'],
    inspect: [],
    demo: [],
  };
  for (const [name, options] of Object.entries(contract)) {
    const known = new Set(find(name).options.map(({ name }) => name));
    for (const option of options) assert.ok(known.has(option), `${name} --${option}`);
  }
});

test('text is wrapped at words', () => {
  assert.deepEqual(wrap('one two three', 7), ['one two', 'three']);
  assert.deepEqual(wrap('overlong words', 3), ['overlong', 'words']);
});

test('the nearest word', () => {
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('ab', 'ba'), 1);
  assert.equal(nearest('pss', ['ps', 'run']), 'ps');
  assert.equal(nearest('migrat', ['migrate', 'run']), 'migrate');
  assert.equal(nearest('xyzzy', ['migrate', 'run']), null);
});
