/** What everything that is an open file but no file of a file system refuses alike: sockets, pipes. */
import { refuse } from './maybe.ts';

/** No descriptor of these has the rights for most of it. The answers are those that POSIX gives for a pipe. */
export abstract class NoFile {
  readonly hostFd = null;

  setSize(): never {
    return refuse('inval');
  }

  setTimes(): never {
    return refuse('notsup');
  }

  allocate(): never {
    return refuse('spipe');
  }

  advise(): never {
    return refuse('spipe');
  }

  sync(): never {
    return refuse('inval');
  }
}
