/**
 * Frame: what goes between threads: one message, answer or refusal, as an array, in MessagePack.
 *
 * Only plain data survives: numbers, strings, booleans, null, arrays, records, Uint8Array. The kinds
 * of object most likely to slip in fail an assertion; other class instances arrive as records.
 */
import { MessagePort } from 'node:worker_threads';
import { Buffer } from 'node:buffer';
import { addExtension, Packr, REUSE_BUFFER_MODE } from 'msgpackr';
import { AssertionFailed } from '../../base/assert.ts';
import { type FailureData } from '../../base/failure.ts';
import { type AnyMessage } from '../actor.ts';

export const frameKinds = { tell: 0, ask: 1, answer: 2, refuse: 3, forget: 4 } as const;

type TellFrame = readonly [0, to: string, from: string, message: AnyMessage];
export type AskFrame = readonly [1, id: number, to: string, from: string, message: AnyMessage];
type AnswerFrame = readonly [2, id: number, result: unknown];
type RefuseFrame = readonly [3, id: number, failure: FailureData];
/** The asker gave up on the ask of this number. */
type ForgetFrame = readonly [4, id: number];
export type Frame = TellFrame | AskFrame | AnswerFrame | RefuseFrame | ForgetFrame;

const firstExtension = 0x40;
const notPlain = [SharedArrayBuffer, MessagePort, Map, Set, Error] as const;
for (const [index, Class] of notPlain.entries())
  addExtension({ Class, type: firstExtension + index, write: refuseToPack });

const packr = new Packr({ useRecords: false, variableMapSize: true });
const copyingPackr = new Packr({ useRecords: false, copyBuffers: true });

/** What the packer says where it was told to use a buffer. */
type Filled = Buffer & { readonly start: number; readonly end: number };

/** What frames are packed into, one after the other: it grows with the largest, up to a limit. */
let packed = newBuffer();
const keptBuffer_bytes = 4 * 2 ** 20;

function newBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(65_536);
}

/** Bytes of the frame; valid until the next call unless copied. */
export function packFrame(frame: Frame): Uint8Array {
  if (packed.length > keptBuffer_bytes) packed = newBuffer();
  packr.useBuffer(packed);
  const filled = packr.pack(frame, REUSE_BUFFER_MODE) as Filled;
  packed = filled; // a longer one, when the frame did not fit
  const { buffer, byteOffset, start, end } = filled;
  return new Uint8Array(buffer, byteOffset + start, end - start); // no Buffer: its `slice` is no copy
}

/** Byte arrays within are views of `packed`, which must not be reused. */
export function unpackFrame(packed: Uint8Array): Frame {
  return packr.unpack(packed) as Frame;
}

/** Byte arrays within are copies: `packed` may be reused. */
export function unpackFrameCopying(packed: Uint8Array): Frame {
  return copyingPackr.unpack(packed) as Frame;
}

/** Shared memory and ports travel in the options of `spawn` only. */
function refuseToPack(value: object): never {
  throw new AssertionFailed(`a message is plain data, without a ${value.constructor.name}`);
}
