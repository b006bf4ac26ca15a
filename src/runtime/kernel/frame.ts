/**
 * Frame: what goes between threads: one message, answer or refusal, as an array, in MessagePack.
 *
 * Between hosts the `bytes` of a message or an answer, when they are many, go as they are behind the rest.
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

/** Fewer are copied sooner than sent apart. */
const tailMin_bytes = 32_768;

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

/** A frame for another host. */
export interface FrameParts {
  /** Valid until the next frame is packed, unless copied. */
  readonly packed: Uint8Array;
  /** As they were in the frame: whoever sent it does not change them. */
  readonly tail: Uint8Array;
}

const noBytes = new Uint8Array(0);

/** Bytes of the frame, many bytes of its message or answer apart. */
export function packFrameInParts(frame: Frame): FrameParts {
  const body: unknown = frame.at(-1);
  const bytes = body !== null && typeof body === 'object' && 'bytes' in body ? body.bytes : null;
  if (!(bytes instanceof Uint8Array) || bytes.length < tailMin_bytes)
    return { packed: packFrame(frame), tail: noBytes };
  const rest = [...frame.slice(0, -1), { ...(body as object), bytes: noBytes }] as unknown as Frame;
  return { packed: packFrame(rest), tail: bytes };
}

/** Byte arrays within are views of `packed`, which must not be reused, and the tail itself. */
export function unpackFrame(packed: Uint8Array, behind: Uint8Array = noBytes): Frame {
  const frame = packr.unpack(packed) as Frame;
  if (behind.length > 0) (frame.at(-1) as { bytes: Uint8Array }).bytes = behind;
  return frame;
}

/** Byte arrays within are copies: `packed` may be reused. */
export function unpackFrameCopying(packed: Uint8Array): Frame {
  return copyingPackr.unpack(packed) as Frame;
}

/** Shared memory and ports travel in the options of `spawn` only. */
function refuseToPack(value: object): never {
  throw new AssertionFailed(`a message is plain data, without a ${value.constructor.name}`);
}
