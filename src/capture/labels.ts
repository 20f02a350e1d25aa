/** Labels of the original and of the new code, where the new code has more of them. */
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

  /** The number by which an instruction in the new code names the label of a frame. */
  to(frame: number): number {
    return this.depth - this.#of[frame]!;
  }
}
