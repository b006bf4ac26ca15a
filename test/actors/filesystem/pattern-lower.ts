/**
 * A lower layer whose pages say what they are: every 32-bit word of a page is derived from its key.
 * Relation 666 cannot be read.
 */
import { Failure } from '../../../src/base/failure.ts';
import { type KeyFamily } from '../../../src/base/key.ts';
import { type LowerPages } from '../../../src/actors/filesystem/lower-pages.ts';

export function openLower(): LowerPages {
  return {
    read({ family, firstBlock, blocks }, target) {
      if (family.relation === 666) throw new Failure('mount_failed', { relation: 666 });
      for (let i = 0; i < blocks; i += 1)
        target.set(patternPage(family, firstBlock + i), i * 8_192);
    },
  };
}

export function patternPage(family: KeyFamily, block: number): Uint8Array {
  const { kind, tablespace, database, relation, fork } = family;
  const seed = kind + tablespace * 3 + database * 5 + relation * 7 + fork * 11 + block * 13;
  return new Uint8Array(new Uint32Array(2_048).fill(seed).buffer);
}
