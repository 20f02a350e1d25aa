import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALL_NAMES, callIndex, isPreview1Name } from './preview1.ts';
import { signatureOf } from './signature.ts';

/** i is i32, I is i64; all but proc_exit return one i32. Written down from the specification, not from the table. */
const KNOWN = `
  args_get ii            args_sizes_get ii          environ_get ii               environ_sizes_get ii
  clock_res_get ii       clock_time_get iIi         fd_advise iIIi               fd_allocate iII
  fd_close i             fd_datasync i              fd_fdstat_get ii             fd_fdstat_set_flags ii
  fd_fdstat_set_rights iII  fd_filestat_get ii      fd_filestat_set_size iI      fd_filestat_set_times iIIi
  fd_pread iiiIi         fd_prestat_get ii          fd_prestat_dir_name iii      fd_pwrite iiiIi
  fd_read iiii           fd_readdir iiiIi           fd_renumber ii               fd_seek iIii
  fd_sync i              fd_tell ii                 fd_write iiii                path_create_directory iii
  path_filestat_get iiiii  path_filestat_set_times iiiiIIi  path_link iiiiiii    path_open iiiiiIIii
  path_readlink iiiiii   path_remove_directory iii  path_rename iiiiii           path_symlink iiiii
  path_unlink_file iii   poll_oneoff iiii           proc_exit i                  proc_raise i
  sched_yield -          random_get ii              sock_accept iii              sock_recv iiiiii
  sock_send iiiii        sock_shutdown ii
`;

test('every call has the signature of the specification', () => {
  const words = KNOWN.trim().split(/\s+/);
  const known = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) known.set(words[i] ?? '', words[i + 1] ?? '');
  assert.equal(known.size, 46);
  assert.deepEqual([...CALL_NAMES].sort(), [...known.keys()].sort());
  for (const name of CALL_NAMES) {
    const { params, results } = signatureOf(name);
    const letters = params.map((type) => (type === 'i32' ? 'i' : 'I')).join('');
    assert.equal(letters === '' ? '-' : letters, known.get(name), name);
    assert.deepEqual(results, name === 'proc_exit' ? [] : ['i32'], name);
  }
});

test('names and numbers', () => {
  for (const [index, name] of CALL_NAMES.entries()) assert.equal(callIndex(name), index);
  assert.equal(isPreview1Name('fd_read'), true);
  for (const name of ['fd_readv', '', 'constructor', '__proto__']) assert.equal(isPreview1Name(name), false);
});
