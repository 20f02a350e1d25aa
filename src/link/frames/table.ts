import type { Codec } from '../../base/schema.ts';

/** Fields that a frame can carry; what exactly, the table keeps in its type. */
export type FrameFields = Readonly<Record<string, Pick<Codec<never>, 'type'>>>;

/** One kind of frame. Numbers are given once and never used again for something else. */
export interface FrameSpec {
  /** What the header says. */
  readonly type: number;
  /** What the frame means and who sends it when, for docs/PROTOCOL.md. */
  readonly doc: string;
  readonly fields: FrameFields;
  /** The frame's byte strings are valid only until its handler returns, because their memory is used for the next one. */
  readonly transient?: true;
  /** Acknowledged at once: what was sent by reference before it is then free, and the sender has a use for it. */
  readonly prompt?: true;
}

export type FrameTable = Readonly<Record<string, FrameSpec>>;

/** Frames of one concern, with the range that their numbers lie in. */
export interface FrameGroup {
  readonly title: string;
  readonly from: number;
  readonly to: number;
  readonly frames: FrameTable;
}
