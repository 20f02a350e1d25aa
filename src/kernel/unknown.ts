/** What is said of a pid that cannot be used, wherever that is found out. */

export function noSuchProcess(pid: number): string {
  return `there is no process ${pid}; "godwit ps" shows all that there are`;
}

/** Of a process whose end a node still knows. */
export function hasEnded(pid: number): string {
  return `process ${pid} has ended; "godwit wait ${pid}" returns its exit status`;
}
