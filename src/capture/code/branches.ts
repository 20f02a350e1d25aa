/** Code that branches to labels which may have other numbers than in the original. */
import { OP } from '../../wasm/opcodes.ts';
import { Labels } from './labels.ts';
import { GrowingCopier } from './growing.ts';

export class BranchCopier extends GrowingCopier {
  protected readonly labels = new Labels();

  /** Writes the `br` or `br_if` just passed, unless its label is the same here. */
  protected branch(): void {
    const { walker, out, labels } = this;
    const label = labels.to(walker.depth - walker.immediate);
    if (label === walker.immediate) return;
    this.copy(walker.start);
    out.u8(walker.opcode);
    out.u32(label);
    this.replaced();
  }

  /** The same for `br_table`. */
  protected branchTable(): void {
    const { walker, out, labels } = this;
    let same = true;
    const count = this.eachTarget((label) => {
      same &&= labels.to(walker.depth - label) === label;
    });
    if (same) return;
    this.copy(walker.start);
    out.u8(OP.brTable);
    out.u32(count);
    this.eachTarget((label) => out.u32(labels.to(walker.depth - label)));
    this.replaced();
  }

  /** The labels of the br_table that the walker has just passed, the default one last. @returns how many others */
  protected eachTarget(visit: (label: number) => void): number {
    const { walker } = this;
    const behind = walker.pos;
    walker.pos = walker.start + 1;
    const count = walker.u32();
    for (let i = 0; i <= count; i++) visit(walker.u32());
    walker.pos = behind;
    return count;
  }
}
