/** What the operating system has now, as Node's event loop comes to know of it. */

/**
 * Calls back when the loop has looked once, without waiting, at all that it watches: what was there before the call
 * (input, the end of it, a connection) has been given to its listeners then. Asking the descriptor itself is no way: it
 * may be one that blocks, and bytes read past the stream that watches it would come out of order.
 */
export function afterNextLook(looked: () => void): void {
  // The first comes at the end of the round that this is called in, which may have looked before.
  setImmediate(() => setImmediate(looked));
}
