/** The cluster as a node's commands see it: who there is, and what the others can be asked. */
import type { NodeId } from '../../base/ids.ts';
import type { JoinToken, NodeInfo, ProcessEnd, ProcessInfo } from '../daemon.ts';

export interface Member {
  readonly id: NodeId;
  readonly name: string;
  /** The processes whose home it is; none if it does not answer. Of another node only. */
  processes(): Promise<readonly ProcessInfo[]>;
  /** @throws GodwitError `unknown_process`, `node_down` */
  kill(pid: number, signal: number): Promise<void>;
  /** @throws GodwitError `unknown_process`, `node_down` */
  wait(pid: number): Promise<ProcessEnd>;
}

export interface ClusterView {
  /** A member by name or id. @throws GodwitError `unknown_node`, naming those that exist */
  resolve(node: string): Member;
  /** The home of a pid. @throws GodwitError `unknown_process` if there can be no such process */
  homeOf(pid: number): Member;
  nameOf(node: NodeId): string;
  /** @throws GodwitError `node_down` if it is known not to answer, so that no one waits for it */
  requireAnswering(node: NodeId): void;
  /** All members that answer, but for this one. */
  peers(): readonly Member[];
  nodes(): Promise<readonly NodeInfo[]>;
  /** The node behind this one, in the order of ids, that answers; null if there is no other. */
  nextUp(node: NodeId): NodeId | null;
  /** @throws GodwitError `node_down` if the founding node, which makes tokens, does not answer */
  token(): Promise<JoinToken>;
}
