/**
 * Frame: what goes between threads: one message, answer or refusal, as an array, in MessagePack.
 *
 * Only plain data survives: numbers, strings, booleans, null, arrays, records, Uint8Array. The kinds
 * of object most likely to slip in fail an assertion; other class instances arrive as records.
 */
import { MessagePort } from 'node:worker_threads';
import { addExtension, Packr } from 'msgpackr';
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

/** Bytes of the frame; valid until the next call unless copied. */
export function packFrame(frame: Frame): Uint8Array {
  return packr.pack(frame);
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
