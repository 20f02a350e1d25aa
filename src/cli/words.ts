/**
 * What the command was given, as the system has it. Node decodes the words of the command line, the environment and
 * the name of the current directory as UTF-8, and replaces what is none. On Linux all of these are bytes, which /proc
 * still has. Elsewhere, and where /proc cannot be read, what Node says stands.
 */
import fs from 'node:fs';
import { decodeOsText } from '../base/os-text.ts';

/** What Node puts in the place of bytes that are not UTF-8. */
const REPLACED = '\ufffd';

export class Given {
  /** The directory of /proc that has it all; null: there is none. */
  readonly #source: string | null;

  /** @param launched bin/godwit was given the words and is the parent: it could only hand on what Node had made of them */
  constructor(launched: boolean) {
    this.#source = process.platform === 'linux' ? `/proc/${launched ? process.ppid : 'self'}` : null;
  }

  /** The words behind `godwit`. */
  words(): readonly string[] {
    const words = process.argv.slice(2);
    if (!words.some(isReplaced)) return words;
    // The last ones are ours; before them stand Node, its options and the script.
    const all = this.#read('cmdline');
    const raw = all.slice(Math.max(0, all.length - words.length));
    return raw.length === words.length && raw.every((bytes, i) => saysTheSame(bytes, words[i]!))
      ? raw.map(decodeOsText)
      : words;
  }

  environment(): NodeJS.ProcessEnv {
    const environment = { ...process.env };
    if (!Object.entries(environment).flat().some(isReplaced)) return environment;
    for (const entry of this.#read('environ')) {
      const text = decodeOsText(entry);
      const at = text.indexOf('=');
      if (at > 0 && !text.isWellFormed()) environment[text.slice(0, at)] = text.slice(at + 1);
    }
    return environment;
  }

  /** @throws the system's error if it is not there any more */
  directory(): string {
    const directory = process.cwd();
    // The launcher's is the same.
    if (this.#source === null || !isReplaced(directory)) return directory;
    try {
      return decodeOsText(fs.readlinkSync('/proc/self/cwd', { encoding: 'buffer' }));
    } catch {
      return directory;
    }
  }

  /** The texts of a file of /proc, each of which ends with a 0; none if it cannot be read. */
  #read(name: 'cmdline' | 'environ'): Uint8Array[] {
    if (this.#source === null) return [];
    let bytes: Buffer;
    try {
      bytes = fs.readFileSync(`${this.#source}/${name}`);
    } catch {
      return [];
    }
    const texts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf(0, at);
      if (end === -1) break;
      texts.push(bytes.subarray(at, end));
      at = end + 1;
    }
    return texts;
  }
}

function isReplaced(text: string | undefined): boolean {
  return text?.includes(REPLACED) ?? false;
}

/** Whether Node can have made the word of these bytes: the parent may be another process by now. */
function saysTheSame(bytes: Uint8Array, word: string): boolean {
  return withoutRuns(Buffer.from(bytes).toString()) === withoutRuns(word);
}

/** Decoders differ in how often they replace what belongs together. */
function withoutRuns(text: string): string {
  return text.replaceAll(/\ufffd+/g, REPLACED);
}
