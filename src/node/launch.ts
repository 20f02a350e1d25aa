/**
 * Starting a program as a process of this node: its module, its directories, sockets and streams.
 */
import path from 'node:path';
import { messageOf } from '../base/errors.ts';
import { requireRunnable } from '../guest/runnable.ts';
import type { Process } from '../kernel/process.ts';
import type { StdioFile } from '../kernel/processes.ts';
import { ListenerSocket } from '../kernel/socket.ts';
import { StreamFile } from '../kernel/stream.ts';
import { openPreopen } from '../vfs/preopen.ts';
import type { OpenFile } from '../vfs/openfile.ts';
import type { NodeCore } from './core.ts';
import type { RunIo, RunSpec, StdioPort } from './daemon.ts';
import { listenOn } from './listeners.ts';
import { withTerminalSize } from './terminal-size.ts';
import type { LoadedModule, ModuleStore } from './modules/modules.ts';

export interface Launched {
  readonly process: Process;
  /** Resolves when all output that the process has given has been written or has failed. */
  readonly flushed: () => Promise<void>;
}

/**
 * Starts a program.
 * @param held see {@link NodeCore.start}
 * @throws GodwitError `not_found`, `not_runnable`, `not_a_module`, `invalid_module`, `unsupported_feature`,
 *   `unknown_import`, `io` for a directory or an address that cannot be given, `limit`: nothing runs then
 */
export async function launch(
  core: NodeCore,
  modules: ModuleStore,
  spec: RunSpec,
  io: RunIo,
  held: boolean,
): Promise<Launched> {
  const module = await modules.loadFile(spec.program);
  const { program } = module;
  requireRunnable(spec.program, {
    imports: program.imported,
    exports: program.exports,
    module: program.reason === null ? program.original : null,
  });
  const opened: OpenFile[] = [];
  try {
    const preopens = spec.dirs.map(({ host, guest }) => {
      const directory = openPreopen(path.resolve(spec.cwd, host), spec.umask);
      opened.push(directory);
      return { name: guest, directory };
    });
    const listeners = [];
    for (const address of spec.listen) {
      const socket = new ListenerSocket(await listenOn(address));
      opened.push(socket);
      listeners.push(socket);
    }
    const streams = [stream(io.stdin), stream(io.stdout), stream(io.stderr)] as const;
    const process = core.home.kernel.processes.spawn({
      ppid: null,
      args: spec.args,
      env: withTerminalSize(spec.env, io.terminal),
      cwd: spec.cwd,
      stdio: [descriptor(streams[0]), descriptor(streams[1]), descriptor(streams[2])],
      listeners,
      preopens,
      stay: [
        ...(spec.pin ? (['user_lock'] as const) : []),
        ...(module.program.reason === null ? [] : [module.program.reason]),
      ],
    });
    // From here on the files are the process's.
    opened.length = 0;
    await startGuest(core, process, module, held);
    return { process, flushed: () => flushed(streams) };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

async function startGuest(core: NodeCore, process: Process, module: LoadedModule, held: boolean): Promise<void> {
  try {
    await core.start(process, module, held);
  } catch (error) {
    const report = messageOf(error);
    core.home.kernel.processes.end(process, { how: 'failed', report, node: process.node });
    core.home.kernel.processes.reap(process);
    throw error;
  }
}

const stream = (port: StdioPort): StreamFile | null =>
  port.kind === 'closed' ? null : new StreamFile({ ...portMethods(port), kind: port.kind });

/** A port's methods need their `this`; the kind has lost `closed`. */
function portMethods(port: StdioPort): Omit<StdioPort, 'kind'> {
  return {
    flags: port.flags,
    readable: port.readable,
    writable: port.writable,
    file: port.file,
    read: (max, done) => port.read(max, done),
    hurry: () => port.hurry(),
    write: (bytes, done) => port.write(bytes, done),
    seek: (offset, whence, done) => port.seek(offset, whence, done),
    stat: (done) => port.stat(done),
  };
}

const descriptor = (file: StreamFile | null): StdioFile => file && { file, rights: file.rights };

async function flushed(streams: readonly (StreamFile | null)[]): Promise<void> {
  for (const file of streams) if (file) await new Promise<void>((resolve) => file.whenFlushed(resolve));
}
