/**
 * The programs that `overhead` runs: what compilers emit for plain loops, recursion, indirect calls, heaps, floats and
 * SIMD. Each is a preview 1 command that takes its size as arguments and prints a checksum.
 */
import path from 'node:path';
import { build, fixture } from '../test/support/build.ts';
import type { Fixture } from '../test/support/build.ts';
import type { FixtureName } from '../test/support/fixtures.ts';
import { REAL_DIRECTORY, type RealName, realProgram } from '../test/support/real.ts';

interface Sizes {
  /** Arguments, between spaces, for a run of 0.2 to 1 s on a machine of 2020. */
  readonly full: string;
  /** Arguments for runs of some 0.8 and 2 s, which differ in nothing but how long they go on. */
  readonly long: readonly [shorter: string, longer: string];
  /** Arguments for a run of a few milliseconds. */
  readonly tiny: string;
  /** What the tiny run prints last: shows that the work stays the same when a kernel or a compiler changes. */
  readonly checksum: string;
}

export interface Kernel extends Sizes {
  readonly name: string;
  /** Builds the program, or finds it in the cache. */
  readonly load: () => Promise<Fixture>;
  /** Its source in bench/kernels/, if it has one of its own. */
  readonly file?: string;
  /** Given to it as `.`; the current directory if missing. */
  readonly directory?: string;
}

export interface RealKernel extends Kernel {
  readonly program: RealName;
  readonly directory: string;
}

const directory = path.join(import.meta.dirname, 'kernels');

/** A program of bench/kernels/. */
function own(name: string, sizes: Sizes, ...flags: readonly string[]): Kernel {
  const file = `${name}.c`;
  return { name, ...sizes, file, load: () => build(directory, name, { source: file, flags }) };
}

/** A program of test/programs/, in a size worth measuring. */
function shared(name: FixtureName, sizes: Sizes): Kernel {
  return { name, ...sizes, load: () => fixture(name) };
}

/** A program of others (test/support/real.ts), with what is in test/programs/real/ as its input. */
function real(name: string, program: RealName, sizes: Sizes): RealKernel {
  return { name, program, ...sizes, load: () => realProgram(program), directory: REAL_DIRECTORY };
}

export const KERNELS: readonly Kernel[] = [
  shared('matmul', { full: '400 6', long: ['400 40', '400 100'], tiny: '8 1', checksum: '1cc3e918f2595c3b' }),
  shared('sieve', {
    full: '8000000 8',
    long: ['8000000 36', '8000000 84'],
    tiny: '1000 1',
    checksum: 'd336d1a852ba3223',
  }),
  own('hash', { full: '2000000', long: ['6000000', '14000000'], tiny: '100', checksum: 'e8de043cc79767ad' }),
  own('fib', { full: '42', long: ['43', '45'], tiny: '8', checksum: 'fd8e8595a0626930' }),
  shared('sort', { full: '600000', long: ['1000000', '2500000'], tiny: '100', checksum: 'b076a7209c1371b8' }),
  shared('sha256', { full: '40000000', long: ['80000000', '200000000'], tiny: '100', checksum: 'acb9369bc3d06015' }),
  own('trees', { full: '18', long: ['19', '21'], tiny: '5', checksum: '2af3e8719302bd82' }),
  own('queens', { full: '13', long: ['13', '14'], tiny: '5', checksum: 'de93be8c95731f0f' }),
  own('nbody', { full: '3000000', long: ['12000000', '30000000'], tiny: '10', checksum: 'b9e6582ac0e3b3cd' }),
  own('mandelbrot', { full: '1500', long: ['3000', '5000'], tiny: '8', checksum: 'e91a4bce51865e4a' }),
  own('bytecode', { full: '80000', long: ['280000', '700000'], tiny: '10', checksum: 'b05a9bee35041858' }),
  shared('lisp', { full: 'fib 29', long: ['fib 33', 'fib 35'], tiny: 'fib 5', checksum: 'c1a78beeab058c0c' }),
  own('search', { full: '8000', long: ['18000', '45000'], tiny: '2', checksum: '45bc24ca2751a050' }),
  own(
    'simd_matmul',
    { full: '512 4', long: ['512 12', '512 30'], tiny: '8 1', checksum: 'ffe0cf5e3e252fa2' },
    '-msimd128',
  ),
  shared('simd', { full: '300000', long: ['1100000', '2700000'], tiny: '2', checksum: '67e521c52aeb338e' }),
  own('fannkuch', { full: '10', long: ['10', '11'], tiny: '5', checksum: '74014fa0744b2289' }),
  own('stencil', { full: '1000 300', long: ['1000 800', '1000 2000'], tiny: '16 2', checksum: 'f17e9da0d94d0cbb' }),
  shared('ray', { full: '1800', long: ['3300', '5200'], tiny: '8', checksum: 'e2973b8cc93e60d5' }),
  own('lu', { full: '400 12', long: ['400 52', '400 130'], tiny: '8 1', checksum: '116e09738c3654cf' }),
  own('floyd', { full: '400 4', long: ['400 20', '400 52'], tiny: '8 1', checksum: '355e49760ef0ec5a' }),
  own('sgemm', { full: '384 8', long: ['384 44', '384 110'], tiny: '8 1', checksum: '923c6f5c31e931b5' }),
  own('compress', { full: '1024 8', long: ['1024 40', '1024 100'], tiny: '1 1', checksum: '68f2ea59d42cbd77' }),
  own('btree', { full: '500000', long: ['1200000', '2500000'], tiny: '100', checksum: 'a40a63e534988f69' }),
  own('regex', { full: '2048', long: ['9000', '22000'], tiny: '1', checksum: '88a6b8283238113c' }),
  own('shapes', {
    full: '10000 5000',
    long: ['10000 25000', '10000 60000'],
    tiny: '10 2',
    checksum: '725d45020e2cef71',
  }),
];

/** Measured only when they are named, since they have to be fetched and compiled. */
export const REAL_KERNELS: readonly RealKernel[] = [
  real('sqlite', 'sqlite', { full: '30000', long: ['60000', '150000'], tiny: '50', checksum: 'd8bcdb4fe9b9a750' }),
  real('lua', 'lua', {
    full: 'work.lua 30 sort text objects queens garbage',
    long: ['work.lua 60 sort text objects queens garbage', 'work.lua 150 sort text objects queens garbage'],
    tiny: 'work.lua 1 sort text objects queens garbage',
    checksum: '660677483',
  }),
  real('lua_coroutines', 'lua', {
    full: 'work.lua 200 coroutines',
    long: ['work.lua 400 coroutines', 'work.lua 1000 coroutines'],
    tiny: 'work.lua 1 coroutines',
    checksum: '645992368',
  }),
  real('lua_errors', 'lua', {
    full: 'work.lua 200 errors',
    long: ['work.lua 400 errors', 'work.lua 1000 errors'],
    tiny: 'work.lua 1 errors',
    checksum: '462219383',
  }),
];
