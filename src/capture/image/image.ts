/**
 * The image of a process: what is sent when it moves, written when it is checkpointed. A stream of records, so that
 * memory goes from the live program to the wire, and from the wire into the new program's memory, without a copy of
 * the whole. All integers are little-endian.
 *
 *     image   := magic record*
 *     magic   := "GDWIMG" u16 format version (3)
 *     record  := u8 kind, u8[3] zero, u32 argument, u32 size, u8[size] content
 *
 *     kind 1  header: first, once. u32 engine version; u8[32] hash of the original module; for each memory, in their
 *             order: u32 size in 64 KiB pages and u32 maximum
 *     kind 2  state of one thread (state.ts), empty if it has not begun; the argument counts them, from 0 to at most
 *             LIMITS.threads - 1. Which thread it is, and what it waits for, the host says in kind 3
 *     kind 3  state of the process for the kernel, opaque here; once, behind the states of all threads
 *     kind 4  memory: the content goes into memory (argument >> 24), to address (argument & 0xff_ffff) * 4096; size
 *             is a multiple of 4096 and at most LIMITS.imageRecordBytes. Pages that no record names are zero; a later
 *             record overwrites an earlier one
 *     kind 5  end: last, once. u8[32] digest
 *
 *     digest  := D(for each record before the end: its 12 bytes before the content, then C(content), 16 bytes)
 *
 * C is a fast checksum and D a cryptographic hash; both are injected. Godwit uses for C the tag of AES-128-GMAC with
 * the key "godwit-image-v1\0", a nonce of 12 zero bytes and the content as additional data, and for D SHA-256. The
 * digest finds damage and mix-ups; against attackers the link (TLS) or the keeper of the file must protect.
 *
 * Reading is decoding hostile bytes: every size is bounded before anything is allocated or written.
 */
import { encodeUtf8 } from '../../base/bytes.ts';

export const IMAGE_VERSION = 3;
export const MODULE_HASH_BYTES = 32;
export const CHECKSUM_BYTES = 16;
export const DIGEST_BYTES = 32;
/** Granularity of memory records in bytes. */
export const IMAGE_PAGE_BYTES = 4096;

export const WASM_PAGE_BYTES = 65_536;
export const MAGIC = encodeUtf8('GDWIMG');
export const RECORD_BYTES = 12;
export const KIND = { header: 1, thread: 2, kernel: 3, memory: 4, end: 5 } as const;
const HEADER_BYTES = 4 + MODULE_HASH_BYTES;
/** For each memory, behind the header's other fields. */
export const MEMORY_HEADER_BYTES = 8;
/** A memory record's argument: the memory's number above these bits, the page below. */
export const PAGE_BITS = 24;
export interface Digest {
  update(bytes: Uint8Array): void;
  /** {@link DIGEST_BYTES} bytes. */
  final(): Uint8Array;
}

export interface ImageHasher {
  /** {@link CHECKSUM_BYTES} bytes; the content may be a view of shared memory. */
  checksum(content: Uint8Array): Uint8Array;
  digest(): Digest;
}

export interface ImageMemory {
  readonly pages: number;
  readonly maximumPages: number;
}

export interface ImageHeader {
  readonly engineVersion: number;
  /** Hash of the original module, {@link MODULE_HASH_BYTES} bytes. */
  readonly moduleHash: Uint8Array;
  readonly memories: readonly ImageMemory[];
}

/** @returns bytes of a header's content */
export function headerBytes(memories: number): number {
  return HEADER_BYTES + memories * MEMORY_HEADER_BYTES;
}
