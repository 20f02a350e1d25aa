/** Shows the demonstration while it plays: a live picture on a terminal, plain lines elsewhere. */
import type { AdminClient } from '../../admin/client.ts';
import { duration } from '../format.ts';
import { Screen, type Terminal, picture } from './screen.ts';
import type { Story } from './story.ts';

export interface Show {
  /** Called about ten times a second. */
  frame(elapsedMs: number): void;
  /** Gives the terminal back; frames after it are not shown. Harmless a second time. */
  close(): void;
}

export function liveShow(story: Story, totalMs: number, terminal: Terminal): Show {
  const screen = new Screen(terminal);
  let closed = false;
  return {
    frame(elapsedMs) {
      if (!closed) screen.draw(picture(story, elapsedMs, totalMs, terminal.columns));
    },
    close() {
      closed = true;
      screen.close();
    },
  };
}

/** Between two plain lines on where everything runs. */
const PLAIN_INTERVAL = 2000;

/** Every event but the single moves, and from time to time where everything runs. */
export function plainShow(story: Story, out: (text: string) => void): Show {
  let told = 0;
  let next = PLAIN_INTERVAL;
  let closed = false;
  return {
    frame(elapsedMs) {
      if (closed) return;
      const fresh = Math.min(story.told - told, story.events.length);
      told = story.told;
      for (const { at, kind, text } of fresh > 0 ? story.events.slice(-fresh) : []) {
        if (kind === 'note') out(`${duration(at)}: ${text}`);
      }
      if (elapsedMs < next) return;
      next = elapsedMs + PLAIN_INTERVAL;
      // A process that was not seen yet is nowhere.
      const places = [...story.rows.values()].filter(({ node }) => node !== 0);
      const where = places.map(
        ({ job, node, pinned }) => `${job} on ${story.nodeName(node)}${pinned ? ' (pinned)' : ''}`,
      );
      out([`${duration(elapsedMs)}: ${story.moves} moves so far`, where.join(', ')].filter(Boolean).join('; '));
    },
    close() {
      closed = true;
    },
  };
}

/** Milliseconds between two looks at the cluster. */
const FRAME = 100;

/** Looks at the cluster and shows it until `over` resolves. */
export async function watch(
  story: Story,
  show: Show,
  client: AdminClient,
  elapsed: () => number,
  over: Promise<unknown>,
): Promise<void> {
  const state = { done: false, looking: false };
  const finished = (): void => void (state.done = true);
  over.then(finished, finished);
  const look = async (): Promise<void> => {
    state.looking = true;
    const [nodes, processes] = await Promise.all([client.nodes(), client.ps()]);
    story.seen(nodes, processes, elapsed());
    state.looking = false;
  };
  const failed = Promise.withResolvers<never>();
  while (!state.done) {
    // A look that takes long, because a node does not answer, does not hold the picture up.
    if (!state.looking) look().catch((error: unknown) => failed.reject(error));
    await Promise.race([new Promise((resolve) => setTimeout(resolve, FRAME)), failed.promise]);
    show.frame(elapsed());
  }
}
