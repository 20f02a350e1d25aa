/**
 * The directories that a user gives to a program.
 */
import { GodwitError } from '../base/errors.ts';
import { hostErrorCode } from './hosterror.ts';
import { HostDirectory } from './hostdirectory.ts';
import type { Directory } from './openfile.ts';
import { openSpot } from './spot.ts';
import type { Umask } from './umask.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory',
  ENOTDIR: 'it is not a directory',
  EACCES: 'there is no permission to use it',
  EPERM: 'there is no permission to use it',
  ELOOP: 'its name has too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
};

/**
 * Opens a directory of the host, by a name that the user has said: links in it are followed.
 * @param hostPath absolute, or relative to the daemon's working directory
 * @param umask of the files that the program makes in it
 * @throws GodwitError `io`, naming the directory and the reason
 */
export function openPreopen(hostPath: string, umask: Umask): Directory {
  try {
    return new HostDirectory(openSpot(hostPath), umask);
  } catch (error) {
    const code = hostErrorCode(error);
    if (code === null) throw error;
    throw new GodwitError('io', `cannot give the directory ${hostPath}: ${REASONS[code] ?? code}`, { cause: error });
  }
}
