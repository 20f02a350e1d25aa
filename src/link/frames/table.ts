import type { Codec } from '../../base/schema.ts';

/** Fields that a frame can carry; what exactly, the table keeps in its type. */
export type FrameFields = Readonly<Record<string, Pick<Codec<never>, 'type'>>>;

/** One kind of frame. Numbers are given once and never used again for something else. */
export interface FrameSpec {
  /** What the header says: 0x01-0x1f session, 0x20-0x3f cluster, 0x40-0x5f processes, 0x60-0x7f moves, 0x80- queries between nodes. */
  readonly type: number;
  /** What the frame means and who sends it when, for docs/PROTOCOL.md. */
  readonly doc: string;
  readonly fields: FrameFields;
}

export type FrameTable = Readonly<Record<string, FrameSpec>>;
