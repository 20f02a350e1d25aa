/** Words, environment and names of directories that are not UTF-8: the program gets their bytes. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import type { FixtureName } from '../support/fixtures.ts';
import { Lab } from '../support/lab.ts';

let lab: Lab;
const programs = {} as Record<FixtureName, string>;
before(async () => {
  for (const name of ['echo', 'ray', 'wasi/readdir', 'wasi/paths'] as const) {
    programs[name] = (await fixture(name)).path;
  }
  lab = await Lab.start({ nodes: 1 });
});
after(() => lab.stop());

/** A directory below this one, by bytes. */
async function makeDirectory(below: string, name: Uint8Array): Promise<Buffer> {
  const directory = Buffer.concat([Buffer.from(`${path.join(lab.directory, below)}/`), name]);
  await mkdir(directory, { recursive: true });
  return directory;
}

const NAME = Buffer.from([0xff, 0xfe, 0x41]);
/** The same bytes as a word of a shell. */
const WORD = `"$(printf '\\377\\376A')"`;

describe('bytes that are not UTF-8', { skip: process.platform !== 'linux' && 'texts are Unicode there' }, () => {
  for (const [place, node] of [
    ['through a daemon', 'node1'],
    ['inside the command', null],
  ] as const) {
    describe(place, () => {
      test('arguments and --env', async () => {
        const env = `--env A=${WORD} --env INHERITED --env ${WORD}=ü`;
        const { stdout, stderr, status } = await lab.shell(
          `INHERITED=${WORD}; export INHERITED; $GODWIT run ${env} ${programs.echo} ${WORD} ü "$(printf 'a\\303')" "$(printf '\\355\\240\\200\\300\\257')"`,
          { node },
        );
        assert.deepEqual([stderr, status], ['', 0]);
        const told = stdout.split('\n').map((line) => /: \d+ bytes ((?: ?[0-9a-f]{2})+) /.exec(line)?.[1] ?? '');
        const hex = (text: string): string =>
          Buffer.from(text)
            .toString('hex')
            .replaceAll(/..(?!$)/g, '$& ');
        assert.deepEqual(told, [
          'ff fe 41',
          'c3 bc',
          '61 c3',
          'ed a0 80 c0 af',
          `${hex('A=')} ff fe 41`,
          `${hex('INHERITED=')} ff fe 41`,
          `ff fe 41 ${hex('=ü')}`,
          '',
        ]);
      });

      test('the name of a directory that is given, and of the one that it is in', async () => {
        const below = `given-${node}`;
        const directory = await makeDirectory(below, NAME);
        const script = `cd ${below} || exit
          $GODWIT run --dir ${WORD}::/data ${programs.ray} 4 /data/a.ppm || echo a $?
          $GODWIT run --dir ${WORD} ${programs.ray} 4 ${WORD}/b.ppm || echo b $?
          $GODWIT run --cwd ${WORD} ${programs.ray} 4 c.ppm || echo c $?
          cd ${WORD} && $GODWIT run ${programs.ray} 4 d.ppm --stats s.json || echo d $?
          $GODWIT run --stats s.json ${programs.ray} 4 e.ppm || echo e $?`;
        const { stdout, stderr } = await lab.shell(script, { node });
        assert.doesNotMatch(stdout, /^[a-e] \d/m);
        assert.equal(stderr, '');
        assert.deepEqual((await readdir(directory)).sort(), ['a.ppm', 'b.ppm', 'c.ppm', 'd.ppm', 'e.ppm', 's.json']);
        const first = await readFile(Buffer.concat([directory, Buffer.from('/a.ppm')]));
        assert.ok(first.length > 0);
      });

      test('a program that stands in such a directory, under such a name', async () => {
        const below = `program-${node}`;
        const directory = await makeDirectory(below, NAME);
        await copyFile(programs.echo, Buffer.concat([directory, Buffer.from('/'), NAME]));
        const { stdout, stderr } = await lab.shell(`$GODWIT run ${below}/${WORD}/${WORD} x`, { node });
        assert.deepEqual([stdout, stderr], ['argument 1: 1 bytes 78 x\n', '']);
        const missing = await lab.shell(`$GODWIT run ${below}/${WORD}/none.wasm`, { node });
        assert.equal(missing.status, 127);
        assert.match(missing.stderr, /^godwit: cannot run program-[^/]+\/\ufffd+A\/none\.wasm: there is no such file/);
      });

      for (const name of ['wasi/readdir', 'wasi/paths'] as const) {
        test(`${name} in such a directory`, async () => {
          const below = `${name.replace('/', '-')}-${node}`;
          await makeDirectory(below, NAME);
          const { stderr, status } = await lab.shell(`$GODWIT run --dir ${below}/${WORD}::. ${programs[name]}`, {
            node,
          });
          assert.deepEqual([stderr, status], ['', 0]);
        });
      }
    });
  }
});
