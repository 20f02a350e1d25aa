/** The daemon's own code, loaded only by the commands that need it: `ps` starts faster without. */
import type { StartEmbedded, StartNode } from '../node/daemon.ts';

// The specifiers are variables because the modules are written elsewhere; see the types of src/node/daemon.ts.
const START: string = new URL('../node/start.ts', import.meta.url).href;
const EMBEDDED: string = new URL('../node/embedded.ts', import.meta.url).href;

export async function loadStartNode(): Promise<StartNode> {
  const { startNode } = (await import(START)) as { startNode: StartNode };
  return startNode;
}

export async function loadStartEmbedded(): Promise<StartEmbedded> {
  const { startEmbedded } = (await import(EMBEDDED)) as { startEmbedded: StartEmbedded };
  return startEmbedded;
}
