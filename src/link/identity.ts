/** What a certificate says of its owner: the subject organization (cluster id) and common name (`node-<id>`). */
import type { NodeId } from '../base/ids.ts';
import { nodeId } from '../base/ids.ts';

/** The common name in a node's certificate. */
export function commonNameOf(node: NodeId): string {
  return `node-${node}`;
}

/**
 * The node that a subject names, if it belongs to this cluster. Whether the certificate is genuine is not asked here.
 * @param subject one attribute a line, as node:crypto gives it
 */
export function nodeOfSubject(subject: string, cluster: string): NodeId | null {
  const match = /^O=([0-9a-f]+)\nCN=node-([1-9][0-9]{0,4})$/.exec(subject);
  if (!match || match[1] !== cluster) return null;
  try {
    return nodeId(Number(match[2]));
  } catch {
    return null;
  }
}
