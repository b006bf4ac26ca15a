/** Mounts in the folder given, blocks a thread in the device, and then ends as it is told. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { mountFuse } from '../../../src/io/fuse/device.ts';

const [folder, then] = process.argv.slice(2);
const mountPoint = join(folder!, 'mount');
mkdirSync(mountPoint);
const { fd } = await mountFuse(mountPoint, 131_072);
const blocking = `
  const { readSync } = require('node:fs');
  const { parentPort, workerData } = require('node:worker_threads');
  parentPort.postMessage('reading');
  try { for (;;) readSync(workerData, Buffer.alloc(1 << 21)); } catch {}`;
const worker = new Worker(blocking, { eval: true, workerData: fd });
worker.once('message', () => {
  process.stdout.write('mounted\n');
  if (then === 'throw')
    setTimeout(() => {
      throw new Error('as told');
    }, 50);
});
