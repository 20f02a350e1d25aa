/**
 * The first eight bytes of a module: the magic number, the version, and the layer, by which components differ from
 * core modules (WebAssembly core specification, section 5.5.16; component model, Binary.md). Whoever gives something
 * else is told what it seems to be, and what to do instead.
 */
import { GodwitError } from '../base/errors.ts';

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
const PREAMBLE_BYTES = 8;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** What people give instead of a module, by its first bytes. */
const OTHERS: readonly (readonly [first: readonly number[], advice: string])[] = [
  [ascii('\x7fELF'), 'it is a native program: build it for wasm32-wasip1'],
  [ascii('MZ'), 'it is a native program: build it for wasm32-wasip1'],
  [[0xcf, 0xfa, 0xed, 0xfe], 'it is a native program: build it for wasm32-wasip1'],
  [ascii('#!'), 'it is a script: give the .wasm file that it starts'],
  [ascii('('), 'it is the text form of a module: translate it first, for example by wat2wasm'],
  [ascii(';;'), 'it is the text form of a module: translate it first, for example by wat2wasm'],
  [[0x1f, 0x8b], 'it is compressed: unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'it is compressed: unpack it first'],
  [ascii('PK'), 'it is an archive: unpack it first'],
  [ascii('!<arch>'), 'it is a library of object files: link it first'],
];

const startsWith = (bytes: Uint8Array, first: readonly number[]): boolean =>
  bytes.length >= first.length && first.every((byte, i) => bytes[i] === byte);

function notAModule(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'it is empty: build or copy it again';
  if (startsWith(bytes, MAGIC)) return `it ends after ${bytes.length} bytes, within its header: build or copy it again`;
  const [, advice] = OTHERS.find(([first]) => startsWith(bytes, first)) ?? [];
  return advice ?? 'it does not begin with the magic number of WebAssembly: build the program for wasm32-wasip1';
}

/** @throws GodwitError `not_a_module` with the way out, for a component too; or `invalid_module` */
export function checkPreamble(bytes: Uint8Array): void {
  if (bytes.length < PREAMBLE_BYTES || !startsWith(bytes, MAGIC)) {
    throw new GodwitError('not_a_module', notAModule(bytes));
  }
  const version = bytes[4]! | (bytes[5]! << 8);
  const layer = bytes[6]! | (bytes[7]! << 8);
  if (layer === 1) {
    throw new GodwitError(
      'not_a_module',
      'it is a WebAssembly component, and a core module is wanted: build it for wasm32-wasip1, or extract the core module',
    );
  }
  if (version !== 1 || layer !== 0) {
    throw new GodwitError('invalid_module', `offset 0x4: unknown binary version ${version}, layer ${layer}`);
  }
}
