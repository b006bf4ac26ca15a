#!/usr/bin/env node
// Starts the command line, with Node's cache of compiled modules: without it every start, and every
// thread, would strip the types again, which costs time and 30 MB of memory each.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// WAL passes through buffers outside V8's heap. By default each 64 MiB of them, freed or not, make it collect
// the whole heap, on every thread (docs/decisions/0019-buffers-outside-the-heap.md).
setFlagsFromString('--external-memory-accounted-in-global-limit');
setFlagsFromString('--heap-growing-percent=400');

const cache = fileURLToPath(new URL('../node_modules/.cache/stemma', import.meta.url));
enableCompileCache(cache);
process.env.NODE_COMPILE_CACHE = cache;
await import('../src/main.ts');
