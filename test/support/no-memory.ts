/** Loaded into a daemon by `--import`: its machine says that it has no free memory. */
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

os.freemem = () => 0;
syncBuiltinESMExports();
