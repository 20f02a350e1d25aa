/** Bytes of the smallest page of the systems that Godwit runs on: a larger one is touched more than once. */
const PAGE_BYTES = 4096;

/**
 * Makes the system give the first bytes of a shared memory their pages. A page is given when it is first written to,
 * which takes several times as long as to fill it; a thread that has nothing else to do can spare another one that.
 * What the other thread writes meanwhile stays: to write a word back as it is, is one step that none of its writes can come between.
 */
export function touchPages(memory: WebAssembly.Memory, bytes: number): void {
  const words = new Int32Array(memory.buffer);
  const end = Math.min(Math.ceil(bytes / 4), words.length);
  for (let at = 0; at < end; at += PAGE_BYTES / 4) Atomics.or(words, at, 0);
}
