/**
 * FailingSync: preloaded into a host (`--import`): once the file that STEMMA_FAIL_SYNC names exists, every
 * fdatasync fails as it does on a disk that is broken.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const trigger = process.env['STEMMA_FAIL_SYNC'];
const { fdatasyncSync } = fs;

if (trigger !== undefined) {
  fs.fdatasyncSync = (file) => {
    if (fs.existsSync(trigger)) {
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    }
    fdatasyncSync(file);
  };
  syncBuiltinESMExports();
}
