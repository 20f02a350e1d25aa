/**
 * Stands for `godwit up --json --attended` in tests of the lab: a fake node behind a real control socket. With
 * FAKE_NODE_FAILS=NAME the node of that name does not start, with FAKE_NODE_HANGS=NAME it does not end by itself.
 */
import { parseArgs } from 'node:util';
import { serveAdmin } from '../../admin/server.ts';
import { FakeDaemon } from '../../admin/testing/fake-daemon.ts';
import { silentLog } from '../../base/env.ts';

const text = { type: 'string', default: '' } as const;
const flag = { type: 'boolean' } as const;
const { values } = parseArgs({
  allowPositionals: true,
  options: { name: text, socket: text, listen: text, state: text, join: text, token: text, json: flag, attended: flag },
});
if (process.env['FAKE_NODE_FAILS'] === values.name) {
  process.stderr.write('godwit: the port is taken\n');
  process.exit(1);
}
const daemon = new FakeDaemon();
const server = await serveAdmin(daemon, values.socket, silentLog);
const id = Number(values.name.replaceAll(/\D/g, ''));
const join = await daemon.token();
const line = `${JSON.stringify({
  id,
  name: values.name,
  address: values.join === '' ? '127.0.0.1:7370' : `joined ${values.join}`,
  socket: values.socket,
  pid: process.pid,
  join,
})}\n`;
// Whoever reads it may end this process at once.
if (process.env['FAKE_NODE_HANGS'] === values.name) {
  process.on('SIGTERM', () => {});
  process.stdout.write(line);
} else {
  process.stdin.once('end', () => void daemon.shutdown()).resume();
  process.on('SIGTERM', () => void daemon.shutdown());
  process.stdout.write(line);
  await daemon.ended;
  await server.close();
}
