/**
 * How long Godwit waits for anything between nodes, on one page, in milliseconds, each with its reason. The order of
 * these numbers matters more than the numbers: heartbeat < silent < down, and a reconnect fits in between.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const TIMING = {
  /** An acknowledgement waits so long for a frame to ride on: longer than a home call takes to be answered. */
  ackDelayMs: 20,
  /** A ping goes out this often; its answer gives the round trip time. Six of them fit into `silentMs`. */
  heartbeatMs: 500,
  /** A connection, and then a node, that has not been heard for so long is taken for dead: longer than a garbage collection or a lost TCP segment's first retries. */
  silentMs: 3 * SECOND,
  /** Connecting, TLS and the greeting together. */
  handshakeMs: 5 * SECOND,
  /** The first wait between two attempts to connect; doubled at each attempt, and each wait cut by a random part. */
  redialFirstMs: 50,
  /** The longest wait between two attempts: a node that comes back is found again this soon. */
  redialLastMs: 5 * SECOND,
  /** The wait after a refusal or a broken protocol: only a person or an upgrade changes that. */
  redialRefusedMs: 30 * SECOND,
  /** A node that has been `unreachable` for so long is `down`: long enough for a switch or a machine to restart its network. */
  downMs: 30 * SECOND,
  /** A join token can be used for so long: time to copy it to the other machine. */
  tokenLifetimeMs: 10 * MINUTE,
  /** Wrong tokens of one address are counted for so long, from the first on. */
  joinFailuresMs: 1 * MINUTE,
  /** A node that is told to stop waits so long for its guests to leave: a move of 512 MB takes seconds. */
  leavingMs: 30 * SECOND,
  /** A node that is ready waits so long for the line by which others join: it has to be fetched from the founding node. */
  joinLineMs: 1 * SECOND,
  /** So often the homes of guests hear what these have used. */
  usageReportMs: 1 * SECOND,
  /** One exchange of joining, from connection to answer. */
  joinMs: 15 * SECOND,
} as const;

/**
 * A node that nothing was heard of for so long is given up: what runs elsewhere for it ends there, and what runs on it
 * for others is lost to them.
 */
export const GIVEN_UP_MS = TIMING.silentMs + TIMING.downMs;
