/**
 * life [GENERATIONS [SIDE]]: Conway's Life on a torus, in AssemblyScript with its garbage collector: a generation is a
 * new set of live cells in a Map, so the program allocates all the time. AssemblyScript has no WASI library of its
 * own; the three calls that it needs are declared here.
 */
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'fd_write')
declare function fd_write(fd: i32, iovecs: usize, count: i32, written: usize): i32;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'args_sizes_get')
declare function args_sizes_get(count: usize, bytes: usize): i32;
// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'args_get')
declare function args_get(argv: usize, bytes: usize): i32;

const room = memory.data(16);

function print(line: string): void {
  const bytes = String.UTF8.encode(line + '\n');
  store<usize>(room, changetype<usize>(bytes));
  store<i32>(room, bytes.byteLength, 4);
  if (fd_write(1, room, 1, room + 8) != 0) unreachable();
}

function sizeArgument(index: i32, otherwise: i32): i32 {
  args_sizes_get(room, room + 4);
  const count = load<i32>(room);
  if (index >= count) return otherwise;
  const pointers = new ArrayBuffer(4 * count);
  const bytes = new ArrayBuffer(load<i32>(room + 4));
  args_get(changetype<usize>(pointers), changetype<usize>(bytes));
  const text = load<usize>(changetype<usize>(pointers) + 4 * index);
  return I32.parseInt(String.UTF8.decodeUnsafe(text, lengthOf(text)));
}

function lengthOf(text: usize): i32 {
  let n = 0;
  while (load<u8>(text + n) != 0) n++;
  return n;
}

abstract class Rule {
  abstract lives(alive: bool, neighbours: i32): bool;
}

class Conway extends Rule {
  lives(alive: bool, neighbours: i32): bool {
    return neighbours == 3 || (alive && neighbours == 2);
  }
}

class HighLife extends Rule {
  lives(alive: bool, neighbours: i32): bool {
    return neighbours == 3 || (alive && neighbours == 2) || (!alive && neighbours == 6);
  }
}

class World {
  constructor(
    readonly side: i32,
    readonly cells: Set<i32>,
  ) {}

  next(rule: Rule): World {
    const counts = new Map<i32, i32>();
    const live = this.cells.values();
    for (let i = 0; i < live.length; i++) this.count(live[i], counts);
    const cells = new Set<i32>();
    const touched = counts.keys();
    for (let i = 0; i < touched.length; i++) {
      const cell = touched[i];
      if (rule.lives(this.cells.has(cell), counts.get(cell))) cells.add(cell);
    }
    return new World(this.side, cells);
  }

  private count(cell: i32, counts: Map<i32, i32>): void {
    const side = this.side;
    const x = cell % side;
    const y = cell / side;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (dx == 0 && dy == 0) continue;
        const other = ((y + dy + side) % side) * side + ((x + dx + side) % side);
        counts.set(other, (counts.has(other) ? counts.get(other) : 0) + 1);
      }
    }
  }

  checksum(): u64 {
    const sorted = this.cells.values().sort((a, b) => a - b);
    let sum: u64 = 0xcbf29ce484222325;
    for (let i = 0; i < sorted.length; i++) sum = (sum ^ <u64>sorted[i]) * 0x100000001b3;
    return sum;
  }
}

export function _start(): void {
  const generations = sizeArgument(1, 20);
  const side = sizeArgument(2, 24);
  const rules: Rule[] = [new Conway(), new HighLife()];
  const start = new Set<i32>();
  let state: u32 = 12345;
  for (let i = 0; i < side * side; i++) {
    state = state * 1103515245 + 12345;
    if (state >> 30 == 0) start.add(i);
  }
  for (let r = 0; r < rules.length; r++) {
    let world = new World(side, start);
    for (let g = 0; g < generations; g++) world = world.next(rules[r]);
    print(`${world.cells.size} cells after ${generations} generations, checksum ${world.checksum().toString(16)}`);
  }
}
