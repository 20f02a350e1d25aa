/** FILE.wasm [ARGS...]: runs it under `node:wasi`. Plain JavaScript, so that no time goes into anything else. */
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const [file = '', ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [file, ...args], preopens: { '.': '.' } });
wasi.start(new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), wasi.getImportObject()));
