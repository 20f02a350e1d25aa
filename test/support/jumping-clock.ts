/**
 * Loaded into a daemon by `--import`: at each SIGUSR2 its machine's wall clock is set, first a day ahead, then two days
 * back, and so on. The daemon's own code knows nothing of it.
 */
const DAY_MS = 86_400_000;

const { now } = Date;
let offset = 0;
Date.now = () => now.call(Date) + offset;

process.on('SIGUSR2', () => {
  offset = offset > 0 ? -DAY_MS : DAY_MS;
});
