/** Labels of the original and of the new code, where the new code has more of them. */

/** Depth of the label whose end is the handler that saves the function's frame. */
export const HANDLER_DEPTH = -1;

export class Labels {
  /** How many labels are open in the new code, the function's own not counted. */
  depth = 0;
  /** By frame depth of the original: the depth in the new code of the label that stands for it. */
  readonly #of: number[] = [0];

  enter(): void {
    this.depth = 0;
    this.#of[0] = 0;
  }

  /** The innermost label of the new code stands for this frame from now on. */
  stand(frame: number): void {
    this.#of[frame] = this.depth;
  }

  /** A label is opened that stands for this frame. */
  open(frame: number): void {
    this.#of[frame] = ++this.depth;
  }

  /** The label at a depth of the new code stands for this frame from now on. */
  bind(frame: number, depth: number): void {
    this.#of[frame] = depth;
  }

  /** A label is opened that no frame has. @returns its depth */
  add(): number {
    return ++this.depth;
  }

  /** The number by which an instruction in the new code names the label at a depth of the new code. */
  toDepth(depth: number): number {
    return this.depth - depth;
  }

  /** The number by which an instruction in the new code names the label of a frame. */
  to(frame: number): number {
    return this.depth - this.#of[frame]!;
  }
}
