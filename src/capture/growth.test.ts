/**
 * Modules that are made to cost the rewriter more than their length is worth: its work must grow as they do, and where few
 * bytes ask for much code, it must end soon, and say that the program cannot be made movable. Work is counted in blocks of
 * our code that run, which are the same on every machine.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Coverage } from '../../test/fuzz/coverage.ts';
import { LIMITS } from '../base/limits.ts';
import { OP } from '../wasm/opcodes.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { I32, I64 } from '../wasm/types.ts';
import type { ValueType } from '../wasm/types.ts';
import { Assembler } from './code/assembler.ts';
import { NotMovable } from './code/not-movable.ts';
import { Program } from './running/program.ts';
import { prepare } from './running/prepare.ts';
import { StayingProgram } from './running/staying.ts';
import { rewrite } from './rewriting/rewrite.ts';

/** Two who ask V8 for its counts take them from each other. */
const counted = process.env['NODE_V8_COVERAGE'] === undefined;

const times = (count: number, write: (i: number) => void): void => {
  for (let i = 0; i < count; i++) write(i);
};

/** What a function does in a module that imports another one, `() -> ()`, as function 0. */
function body(
  write: (code: Assembler, b: ModuleBuilder) => void,
  locals: readonly ValueType[] = [],
): Uint8Array<ArrayBuffer> {
  const b = new ModuleBuilder();
  b.importFunction('env', 'f', [], []);
  const code = new Assembler();
  write(code, b);
  b.define([], [], locals, code.done());
  return b.build();
}

const nested = (code: Assembler, count: number, inside: () => void): void => {
  times(count, () => code.raw(OP.block, 0x40));
  inside();
  times(count, () => code.op(OP.end));
};

/** As many values as one type can have. */
const MANY: readonly ValueType[] = Array.from({ length: LIMITS.typeValues }, () => I32);

/** Each of a length in proportion to `n`. */
const SHAPES: Readonly<Record<string, (n: number) => Uint8Array<ArrayBuffer>>> = {
  'loops in nested blocks': (n) =>
    body((code) => nested(code, n, () => times(n, () => code.raw(OP.loop, 0x40, OP.end)))),
  'counted loops in nested blocks': (n) =>
    body(
      (code) =>
        nested(code, n, () =>
          times(n, () =>
            code.raw(OP.loop, 0x40).get(0).constant(1).op(OP.i32Add).op(OP.localTee, 0).raw(OP.brIf, 0, OP.end),
          ),
        ),
      [I32],
    ),
  'segments that are dropped': (n) =>
    body((code, b) => times(n, () => code.op(OP.elemDrop, b.elements([], 'passive')))),
  'segments that are copied': (n) =>
    body((code, b) => {
      b.memories.push({ minimum: 1, maximum: 1 });
      times(n, () => {
        const segment = b.data(new Uint8Array(), 'passive');
        code.constant(0).constant(0).constant(0).op(OP.memoryInit, segment, 0);
      });
    }),
  'tries that delegate out of nested blocks': (n) =>
    body((code) => nested(code, n, () => times(n, () => code.raw(OP.try, 0x40).op(OP.call, 0).raw(OP.delegate, 0)))),
  'nested tries': (n) =>
    body((code) => {
      times(n, () => code.raw(OP.try, 0x40));
      code.op(OP.call, 0);
      times(n, () => code.raw(OP.catchAll, OP.rethrow, 0, OP.end));
    }),
  'a table of labels that take many values': (n) =>
    body((code, b) => {
      const [type, other] = [b.type([], MANY), b.type([I32], MANY)];
      code.raw(OP.block).s32(type);
      code.constant(0).raw(OP.block).s32(other);
      code.op(OP.drop);
      times(MANY.length, () => code.constant(0));
      code.constant(0).raw(OP.brTable).u32(n);
      times(n, (i) => code.u32(i & 1));
      code.u32(0);
      code.raw(OP.end);
      code.op(OP.end);
      times(MANY.length, () => code.op(OP.drop));
    }),
  'a table of labels of nested blocks': (n) =>
    body((code) =>
      nested(code, n, () => {
        code.op(OP.call, 0).constant(0).raw(OP.brTable).u32(n);
        times(n + 1, (i) => code.u32(i));
      }),
    ),
  'conditions that leave nested blocks': (n) =>
    body(
      (code) => {
        code.op(OP.call, 0);
        nested(code, n, () =>
          times(n, (i) =>
            code
              .constant(0)
              .op(OP.localTee, i % 40)
              .op(OP.brIf, i),
          ),
        );
      },
      Array.from({ length: 40 }, () => I32),
    ),
  'an imported table, types and imports': (n) => {
    const b = new ModuleBuilder();
    b.importTable('env', 't', 0x70, 0);
    times(n / 8, (i) =>
      b.type(
        Array.from({ length: 12 }, (_, bit) => ((i >> bit) & 1 ? I32 : I64)),
        [],
      ),
    );
    times(n, () => b.importFunction('env', 'f', [], []));
    return b.build();
  },
  'functions that call each other': (n) => {
    const b = new ModuleBuilder();
    times(n, (i) => b.define([], [], [], new Assembler().op(OP.call, (i + 1) % n).done()));
    return b.build();
  },
  'exports and globals': (n) => {
    const b = new ModuleBuilder();
    times(n, (i) => b.export(`g${i}`, 'global', b.global(I32, true, new Assembler().constant(i).done())));
    return b.build();
  },
  waits: (n) =>
    body((code, b) => {
      b.memories.push({ minimum: 1, maximum: 2, shared: true });
      times(n, (i) =>
        code
          .constant(0)
          .constant(0)
          .raw(OP.i64Const, 0)
          .op(OP.atomicWait32, 2, 4 * i)
          .op(OP.drop),
      );
    }),
};

/** Of the last function, whose continuation at its first safepoint is made: nearly all of it. */
const CONTINUED: Readonly<Record<string, (n: number) => Uint8Array<ArrayBuffer>>> = {
  'calls in nested blocks': (n) =>
    body((code) => {
      code.op(OP.call, 0);
      nested(code, n, () => times(n, () => code.op(OP.call, 0)));
    }),
  'calls of functions that cannot be captured, in nested blocks': (n) =>
    body((code, b) => {
      const leaf = b.define([], [], [], new Uint8Array());
      code.op(OP.call, 0);
      nested(code, n, () => times(n, () => code.op(OP.call, leaf)));
    }),
  'calls through many tables in a loop': (n) =>
    body((code, b) => {
      code.op(OP.call, 0).raw(OP.loop, 0x40);
      times(n, (i) => {
        const table = b.table(1, 1);
        b.export(`t${i}`, 'table', table);
        code.constant(0).op(OP.callIndirect, 0, table);
      });
      code.op(OP.end);
    }),
};

/** What it must not take more of than so many times of what half of a module takes. */
const GROWTH = 2.4;
const SIZE = 1500;

describe('the work that a module takes grows as the module does', { skip: !counted }, () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    test(name, () => {
      const [small, large] = [shape(SIZE), shape(2 * SIZE)];
      assert.ok(WebAssembly.validate(small), 'the module is valid');
      const coverage = new Coverage();
      try {
        const work = (bytes: Uint8Array<ArrayBuffer>): number => {
          coverage.take(false);
          const { module } = rewrite(bytes);
          Program.open(bytes, new WebAssembly.Module(module));
          return coverage.take(false).steps;
        };
        work(small);
        const steps = [work(small), work(large)] as const;
        const grown = steps[1] / steps[0] / (large.length / small.length / 2);
        assert.ok(grown < GROWTH, `${steps.join(' and ')} blocks for ${small.length} and ${large.length} bytes`);
      } finally {
        coverage.stop();
      }
    });
  }
});

describe('so does the work of making a continuation', { skip: !counted }, () => {
  for (const [name, shape] of Object.entries(CONTINUED)) {
    test(name, () => {
      const coverage = new Coverage();
      try {
        const work = (bytes: Uint8Array<ArrayBuffer>): number => {
          const { linker, numbering } = Program.compile(bytes);
          coverage.take(false);
          linker.continuation(numbering.functions - 1, 0, 0);
          return coverage.take(false).steps;
        };
        const [small, large] = [shape(SIZE), shape(2 * SIZE)];
        work(small);
        const steps = [work(small), work(large)] as const;
        const grown = steps[1] / steps[0] / (large.length / small.length / 2);
        assert.ok(grown < GROWTH, `${steps.join(' and ')} blocks for ${small.length} and ${large.length} bytes`);
      } finally {
        coverage.stop();
      }
    });
  }
});

/**
 * Few bytes, of which more would be made than there may be; and what is said of it, which is not how much it would have been:
 * nobody has waited for that.
 */
const TOO_LARGE: Readonly<Record<string, readonly [() => Uint8Array<ArrayBuffer>, RegExp]>> = {
  'operands below a call': [
    () =>
      body((code) => {
        times(150_000, () => code.constant(0));
        code.op(OP.call, 0);
        times(150_000, () => code.op(OP.drop));
      }),
    /more than 50000 locals/,
  ],
  'calls that give many values': [
    () =>
      body((code, b) => {
        const many = b.importFunction('env', 'many', [], MANY);
        times(4000, () => code.op(OP.call, many));
        code.op(OP.unreachable);
      }),
    /more than 50000 locals/,
  ],
  'calls that take many values and give one more': [
    () =>
      body((code, b) => {
        const more = b.importFunction('env', 'more', MANY.slice(1), MANY);
        times(MANY.length, () => code.constant(0));
        times(4000, () => code.op(OP.call, more));
        code.op(OP.unreachable);
      }),
    /more than 7654321 bytes/,
  ],
  'functions that call so': [
    () => {
      const b = new ModuleBuilder();
      const more = b.importFunction('env', 'more', MANY.slice(1), MANY);
      const code = new Assembler();
      times(MANY.length, () => code.constant(0));
      times(400, () => code.op(OP.call, more));
      const bytes = code.op(OP.unreachable).done();
      times(40, () => b.define([], [], [], bytes));
      return b.build();
    },
    /more than \d+ bytes of code/,
  ],
  'imports that take many values': [
    () => {
      const b = new ModuleBuilder();
      times(3500, () => b.importFunction('', 'f', MANY, MANY));
      return b.build();
    },
    /more than \d+ bytes of code/,
  ],
  'constructs within each other': [
    () => body((code) => nested(code, LIMITS.nestedConstructs + 10, () => code.op(OP.call, 0))),
    /more than 65536 constructs/,
  ],
  'a clause that throws on what carries many values': [
    () =>
      body((code, b) => {
        const tag = b.tag(MANY);
        code.raw(OP.try, 0x40).op(OP.call, 0).op(OP.catch, tag).raw(OP.rethrow, 0, OP.end);
      }),
    /more than 1000 values/,
  ],
};

describe('a module of which too much would be made is told soon, and runs where it is', () => {
  for (const [name, [make, message]] of Object.entries(TOO_LARGE)) {
    test(name, () => {
      const bytes = make();
      assert.ok(WebAssembly.validate(bytes), 'the module is valid');
      assert.throws(
        () => rewrite(bytes),
        (error) => error instanceof NotMovable && message.test(error.message),
      );
      const staying = StayingProgram.open(bytes, new WebAssembly.Module(prepare(bytes)));
      assert.equal(staying?.reason, 'large_function');
    });
  }
});

test('a type of more values than V8 takes is refused', () => {
  const b = new ModuleBuilder();
  b.type([...MANY, I32], []);
  assert.throws(() => rewrite(b.build()), { code: 'limit' });
});
