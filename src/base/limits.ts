/**
 * Every limit of Godwit on one page, each with its unit in its name or comment and its reason. A limit is what a guest, a
 * peer, a client, a file or a user can come to the end of. It belongs here even if only one file uses it: whoever wonders
 * "how large may it get" finds the answer without searching. How much a file keeps, or does in one go, only to be fast is
 * no limit, and stands there.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Bytes of one frame on a link. Large enough that a frame of memory costs little, small enough that heartbeats pass between. */
  frameBytes: 1 * MIB,
  /** Bytes of guest memory in one image frame: 256 KiB keeps TLS records full and the event loop free. */
  imageChunkBytes: 256 * KIB,
  /** Bytes of guest memory under one checksum of an image: sent in four frames, each record's head in a small one. */
  imageRecordBytes: 1 * MIB,
  /** Unacknowledged bytes that a link keeps for replay; senders of bulk data wait beyond it. */
  linkUnackedBytes: 8 * MIB,
  /** Bytes that wait for the connection while bulk data is added: it never runs dry, and what is urgent waits for no more. */
  linkUnsentBytes: 512 * KIB,
  /** Bytes that all queued small frames of one link may take before the link is given up as hopeless. */
  linkQueueBytes: 64 * MIB,
  /** Connections from one peer that have not been greeted yet: one, and leftovers of attempts that it has given up. */
  greetings: 8,
  /** TCP connections that a node accepts at a time: two for each member, and strangers. */
  connections: 4096,
  /** Nodes that a cluster has ever had: each keeps a link to every other, and the list of them fits into a frame. */
  members: 1024,
  /** Characters of a node's name: those of a DNS host name. */
  nodeNameLength: 253,
  /** Join tokens that exist at a time: one for each person who is just adding machines, and scripts. */
  joinTokens: 256,
  /** Nodes that join at the same moment; more are told to come again. They have no certificate yet. */
  pendingJoins: 16,
  /** Bytes of a frame that greets: three lists of capabilities at most. */
  greetingBytes: 64 * KIB,
  /** Wrong tokens that one address may show within `joinFailuresMs` (base/timing.ts). */
  joinFailures: 10,
  /** Addresses that have shown one and are remembered; the oldest is forgotten for a new one. */
  joinFailureAddresses: 1024,
  /** Bytes of a frame of who has no certificate yet. */
  joinFrameBytes: 16 * KIB,
  /** Bytes that the states of threads and kernel take together in one image: two save areas. */
  imageStateBytes: 128 * MIB,
  /** Bytes of a module file. clang (75 MB) must fit; V8 itself stops at 1 GiB. */
  moduleBytes: 512 * MIB,
  /** Bytes of modules that a node keeps on disk, rewritten and original; the least recently used go first. */
  moduleCacheBytes: 2048 * MIB,
  /** Locals of one function; V8's own limit. */
  functionLocals: 50_000,
  /** Parameters of a type, and results; V8's own limit. */
  typeValues: 1000,
  /**
   * Values of all those instructions of one function that have more than one, such as calls with several results. They are
   * what can be far more than the bytes of a function: until V8 has looked through it, it keeps 16 to 50 bytes for each.
   */
  functionValues: 2 ** 22,
  /**
   * Of one function, for each block, loop and (twice) `if`, its locals and the operands below: V8's baseline compiler keeps 12
   * bytes for each until it has compiled the function. Clang's largest comes to 700 thousand.
   */
  functionStates: 2 ** 27,
  /** Constructs within each other in a function that is made movable: a `switch` of so many cases has as many blocks. */
  nestedConstructs: 65_536,
  /** Entries of a table whose functions are looked up for continuations: clang has 30,000; beyond it nothing is known of it. */
  knownTableEntries: 131_072,
  /** Bytes of one function's body, before and after rewriting; V8's own limit. */
  functionBytes: 7_654_321,
  /** Bytes of the code that is made of a module, at most: so many, and so many for each of its bytes. Programs get twice as large. */
  rewrittenBytes: 16 * MIB,
  rewrittenBytesPerByte: 32,
  /** Bytes of a module that V8 takes. */
  compiledBytes: 1024 * MIB,
  /** Locals that a continuation may have more than its function: for the results of a call, of which V8 takes 1000, and a few. */
  continuationLocals: 1010,
  /** Bytes of a string in any message: the longest argument that a command can have (Linux: MAX_ARG_STRLEN). */
  stringBytes: 128 * KIB,
  /** Entries of a list in any message. */
  listEntries: 65_536,
  /** Processes that one node is home to. */
  processesPerNode: 4096,
  /** Threads of all guests that one node runs: each is an operating-system thread of 8 MB. */
  guestThreadsPerNode: 512,
  /** Free bytes of the machine without which no thread is started: its own, and what its instance of the program takes. */
  threadFreeBytes: 64 * MIB,
  /** Threads of one process: each is an operating-system thread of 8 MB, and a slot to look at for who notifies. */
  threads: 64,
  /** Descriptors of one process; POSIX systems give 1024 by default. */
  descriptorsPerProcess: 1024,
  /** Types that references of one module can be to: two numbers each, with null and without, of the 128 from 0x80 on. */
  referencedTypes: 64,
  /** Pairs of instructions that are compared to show what the engine changes in a function: 128 MB of the command. */
  comparedInstructions: 2 ** 25,
  /** Entries of one table; V8's own limit. */
  tableEntries: 10_000_000,
  /**
   * Entries of all tables of a module together, as large as they may become: 80 bytes of a module can ask for gigabytes. V8
   * has them in the heap of the guest's thread, of 2 GB, 18 bytes for each, and ends the whole node if one finds no room.
   */
  allTableEntries: 60_000_000,
  /** Linear memories of one module; images name them by a byte. */
  memories: 255,
  /** 64 KiB pages of one linear memory: all that wasm32 can address. */
  memoryPages: 65_536,
  /** 64 KiB pages of a linear memory with 64-bit addresses: V8's own limit, 16 GiB. */
  wideMemoryPages: 262_144,
  /** Bytes of all memories of a process, as peers tell them. */
  memoryBytes: 255 * 262_144 * 64 * KIB,
  /** Milliseconds that a peer may say something took or used: 100 years of 100 threads. */
  toldMs: 100 * 100 * 365 * 86_400_000,
  /** Microseconds between two moves of `run --hop`: a day. From 25 days on, Node's timers would fire at once. */
  hopMicros: 86_400_000_000,
  /** The largest umask: no file gets any permission. */
  umask: 0o777,
  /** Bytes that a process's arguments and environment take together (Linux: ARG_MAX, 2 MiB). */
  argumentBytes: 2 * MIB,
  /** Bytes of a path (Linux: PATH_MAX, which counts a NUL behind it). */
  pathBytes: 4095,
  /** Bytes of one name in a path (Linux: NAME_MAX). */
  nameBytes: 255,
  /** Symbolic links followed in one path resolution (Linux: 40). */
  symlinks: 40,
  /** How often a path is resolved again because someone changes it at the same time. */
  resolutions: 16,
  /** Buffers in one scatter or gather call (Linux: IOV_MAX). */
  ioVectors: 1024,
  /** Subscriptions in one poll_oneoff. */
  pollSubscriptions: 4096,
  /** Bytes in a pipe (Linux: 64 KiB). */
  pipeBytes: 64 * KIB,
  /** Bytes of in-buffers or out-buffers of one home call; longer reads and writes are cut short, as POSIX allows. */
  homeCallBytes: 512 * KIB,
  /** Connections to one listening socket that its program has not accepted yet (Linux: SOMAXCONN); more are reset. */
  listenBacklog: 128,
  /** Bytes that one fd_allocate makes room for; the daemon does nothing else meanwhile. */
  allocateBytes: 64 * MIB,
  /** Entries of one host directory that can be listed: each open directory keeps the names that it is listing. */
  directoryEntries: 1_048_576,
  /** Bytes of one marshalled home call or reply: the buffers and, beside them, paths, poll subscriptions and fixed fields. */
  homeCallFrameBytes: 768 * KIB,
  /** Bytes of a question to another node or its answer; the longest is a list of processes. Fits into a frame. */
  questionBytes: 960 * KIB,
  /** What one node can hold of the processes of one home: guests, frozen copies and reservations. */
  holdings: 4096,
  /** Names (stay reasons, features) in one message: all the tables that they come from are shorter. */
  namesInMessage: 256,
  /** Bytes of saved frames of one thread that moves; one with more stays: a deep stack of real programs has a tenth of it. */
  savedStackBytes: 64 * MIB,
  /**
   * Bytes of saved frames of one thread, even if it stays. V8's stack of 4 MB does not bound them: optimised code keeps no
   * room for a local that holds a constant, and a record holds them all. Frames of 81 bytes with records of 1600 have been
   * seen. So these are 64 bytes of records for each byte of stack; a program that has more ends with an error.
   */
  capturedStackBytes: 256 * MIB,
  /** Bytes of one frame on the control socket: a `run` with its arguments and environment, or a long list of processes. */
  controlFrameBytes: 4 * MIB,
  /** Clients of one control socket at a time: each is a process of the same user. */
  controlClients: 256,
  /** Requests of one client that wait for their answers; one `run` and a few calls are usual. */
  controlCalls: 64,
  /** Signals and sizes of a client's terminal that are kept for a process that has not started: more are of no use to anyone. */
  earlySignals: 16,
  /** Ends of processes that a node remembers, for `wait`, and logs of such: a script that starts many and then waits for each. */
  rememberedEnds: 4096,
  /** Bytes of log lines that wait while the log cannot be written, for example because the disk is full. */
  logBacklogBytes: MIB,
  /** Lines that are kept of one log: the node's own, and what each detached process writes. Some hundred screens. */
  logLines: 10_000,
  /** UTF-16 units that these lines take, each with `logEntryUnits` beside its text: 8 MB, so that few long lines are as dear as many short ones. */
  logUnits: 4 * MIB,
  /**
   * UTF-16 units that all logs of a node take together; beyond it the longest loses half of its lines, and where each has
   * only one, the logs of ended processes are forgotten, and then that line goes too.
   */
  allLogsUnits: 32 * MIB,
  /** UTF-16 units for which a line counts beside its text: about what the object takes. */
  logEntryUnits: 64,
  /** Lines in one answer to `logs`; the client asks again for more. */
  logPageLines: 512,
  /** UTF-16 units of all these lines, but for the last; with 3 bytes each, far from the end of a frame. */
  logPageUnits: 512 * KIB,
  /** UTF-16 units of one line of a log; longer ones are cut into several. */
  logLineUnits: 16 * KIB,
  /** Bytes of the command lines in one list of processes: half of what a question to another node may be answered with. */
  commandLinesBytes: 384 * KIB,
  /** Bytes of one of them, as far as there is room: what a screen or two can show. */
  commandLineBytes: 4 * KIB,
  /** Bytes of the line that standard input gives a command: far more than a token. */
  inputLineBytes: 4 * KIB,
  /** Nodes of a lab: more daemons on one machine show nothing new and take 100 MB each. */
  labNodes: 64,
} as const;
