/**
 * Which locals must be saved: those that are read somewhere with a site between the read and the last write, on some
 * path. Computed along with a single forward walk: `crossed` holds for a local if on some path to here a site lies
 * behind its last write. Every loop head is a site, so everything is crossed there and no loop needs a second round:
 * the result is that of the usual backward analysis, joined over all sites.
 *
 * The rest of a function behind one site is asked about likewise, with {@link Liveness.only}: then no other site counts, and
 * what is found is what that site alone needs. A loop needs no second round here either: on the way back to its head locals
 * can have been written besides, and none the less.
 *
 * Kept is the complement, the locals written since the last site: a short list that each site empties. Where it
 * would grow past its bound the local counts as crossed, which is safe.
 */
const LIST_MOST = 32;

/** A list of locals, or "all of them" for code that cannot be reached (and for a function's entry). */
class FreshLists {
  #all = new Uint8Array(64);
  #counts = new Uint8Array(64);
  #locals = new Uint32Array(64 * LIST_MOST);

  #room(slot: number): void {
    if (slot < this.#all.length) return;
    const size = slot * 2;
    const all = new Uint8Array(size);
    const counts = new Uint8Array(size);
    const locals = new Uint32Array(size * LIST_MOST);
    all.set(this.#all);
    counts.set(this.#counts);
    locals.set(this.#locals);
    this.#all = all;
    this.#counts = counts;
    this.#locals = locals;
  }

  setAll(slot: number): void {
    this.#room(slot);
    this.#all[slot] = 1;
  }

  isAll(slot: number): boolean {
    return this.#all[slot] === 1;
  }

  store(slot: number, list: Uint32Array, count: number): void {
    this.#room(slot);
    this.#all[slot] = 0;
    this.#counts[slot] = count;
    const at = slot * LIST_MOST;
    for (let i = 0; i < count; i++) this.#locals[at + i] = list[i]!;
  }

  /** Keeps those for which `stamps[local] === epoch`. */
  retain(slot: number, stamps: Uint32Array, epoch: number): void {
    const at = slot * LIST_MOST;
    let kept = 0;
    for (let i = 0; i < this.#counts[slot]!; i++) {
      const local = this.#locals[at + i]!;
      if (stamps[local] === epoch) this.#locals[at + kept++] = local;
    }
    this.#counts[slot] = kept;
  }

  /** Copies the list into `into`. @returns how many */
  load(slot: number, into: Uint32Array): number {
    const count = this.#counts[slot]!;
    for (let i = 0; i < count; i++) into[i] = this.#locals[slot * LIST_MOST + i]!;
    return count;
  }
}

export class Liveness {
  /** By local: 1 if it must be saved. */
  #saved = new Uint8Array(256);
  /** Those locals, in the order in which that was seen: a few bytes of a module can declare 50,000 others. */
  readonly #savedLocals: number[] = [];
  #stamps = new Uint32Array(256);
  /** A local is fresh if its stamp is this. */
  #epoch = 1;
  #all = true;
  readonly #list = new Uint32Array(LIST_MOST);
  #count = 0;
  /** What holds at each label, by frame depth; and at the start of each `if`, for its other arm. */
  readonly #labels = new FreshLists();
  readonly #arms = new FreshLists();
  /** Of a loop whose first round is written by itself: what holds where that falls out of it. */
  readonly #exits = new FreshLists();
  /** Whether sites count no more. */
  #isOnly = false;

  enter(localCount: number): void {
    if (localCount > this.#stamps.length) {
      this.#stamps = new Uint32Array(localCount * 2);
      this.#saved = new Uint8Array(localCount * 2);
    }
    this.#forget();
    this.#isOnly = false;
    this.#all = true;
    this.#clear();
    this.#labels.setAll(0);
  }

  #forget(): void {
    for (const local of this.#savedLocals) this.#saved[local] = 0;
    this.#savedLocals.length = 0;
  }

  /** The site of a continuation is here, and nothing before it counts. @param depth of the innermost construct around it */
  only(depth: number): void {
    this.#forget();
    this.#isOnly = true;
    this.#nothingFresh();
    for (let frame = 0; frame <= depth; frame++) {
      this.#labels.setAll(frame);
      this.#arms.setAll(frame);
    }
  }

  /** The rest of the round of a loop at this depth ends, and the whole loop follows for those who branch to it. */
  again(depth: number): void {
    if (this.#all) this.#exits.setAll(depth);
    else this.#exits.store(depth, this.#list, this.#count);
    this.#become(this.#labels, depth);
  }

  /** That loop ends, too. */
  left(depth: number): void {
    this.#join(this.#exits, depth);
    this.#become(this.#exits, depth);
  }

  #clear(): void {
    this.#epoch++;
    this.#count = 0;
  }

  read(local: number): void {
    if (this.#all || this.#stamps[local] === this.#epoch || this.#saved[local] === 1) return;
    this.#saved[local] = 1;
    this.#savedLocals.push(local);
  }

  /** The locals that must be saved, by their numbers. */
  savedLocals(): number[] {
    return this.#savedLocals.toSorted((a, b) => a - b);
  }

  write(local: number): void {
    if (this.#all || this.#stamps[local] === this.#epoch || this.#count === LIST_MOST) return;
    this.#stamps[local] = this.#epoch;
    this.#list[this.#count++] = local;
  }

  site(): void {
    if (!this.#isOnly) this.#nothingFresh();
  }

  #nothingFresh(): void {
    this.#all = false;
    this.#clear();
  }

  /** The code from here on cannot be reached. */
  dead(): void {
    this.#all = true;
  }

  /** A block, loop or if at this depth begins. */
  open(depth: number, isIf: boolean): void {
    this.#labels.setAll(depth);
    if (!isIf) return;
    if (this.#all) this.#arms.setAll(depth);
    else this.#arms.store(depth, this.#list, this.#count);
  }

  /** A branch from here to the end of the frame at this depth. */
  branch(depth: number): void {
    this.#join(this.#labels, depth);
  }

  #join(lists: FreshLists, depth: number): void {
    if (this.#all) return;
    if (lists.isAll(depth)) lists.store(depth, this.#list, this.#count);
    else lists.retain(depth, this.#stamps, this.#epoch);
  }

  /** An exception that code in the current construct throws continues at the end of the frame at this depth. */
  caught(depth: number): void {
    this.#labels.store(depth, this.#list, 0);
  }

  /** An exception that code before this point has thrown continues here. */
  handler(depth: number): void {
    this.branch(depth);
    this.#nothingFresh();
  }

  #become(lists: FreshLists, depth: number): void {
    this.#all = lists.isAll(depth);
    this.#clear();
    if (this.#all) return;
    this.#count = lists.load(depth, this.#list);
    for (let i = 0; i < this.#count; i++) this.#stamps[this.#list[i]!] = this.#epoch;
  }

  otherwise(depth: number): void {
    this.branch(depth);
    this.#become(this.#arms, depth);
  }

  /** The frame at this depth ends. The label of a loop is at its start, so its end is just passed. */
  close(depth: number, kind: 'block' | 'loop' | 'if'): void {
    if (kind === 'loop') return;
    if (kind === 'if') this.otherwise(depth);
    this.branch(depth);
    this.#become(this.#labels, depth);
  }
}
