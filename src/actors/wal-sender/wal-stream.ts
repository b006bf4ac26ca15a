/**
 * WalStream: copy-both mode with one client: committed WAL one way, signs of life the other.
 *
 * Promise: bytes leave contiguous and in order, none beyond what is committed, and no faster than the
 *          client takes them: one message at most waits to be written.
 */
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { keepalive, walHeader, wantsKeepalive } from '../../io/replication-messages.ts';
import { type Context } from '../../runtime/actor.ts';
import { dismiss, enterPhase, heardFrom, type Client } from './client.ts';
import { type CommittedTips, type FollowedTip } from './committed-tips.ts';
import { type CommittedWal, type OpenedWal } from './committed-wal.ts';
import { type WalSenderMessage } from './protocol.ts';
import { refusalOf } from './refusal.ts';
import { messageEnd, type WalSource, type WalSpan } from './wal-source.ts';

export interface StreamParts {
  readonly context: Context<WalSenderMessage>;
  readonly client: Client;
  readonly opened: OpenedWal;
  readonly wal: CommittedWal;
  readonly tips: CommittedTips;
  readonly from: Lsn;
}

interface Stream {
  readonly context: Context<WalSenderMessage>;
  readonly client: Client;
  readonly wal: CommittedWal;
  source: WalSource;
  readonly tip: FollowedTip;
  /** Rung when there may be more to send, or nothing more to be sent. */
  readonly bell: Bell;
  over: boolean;
}

/**
 * Streams until the client ends the copy or goes away. When WAL cannot be had the client is told, and
 * its connection ends: it will come again.
 */
export async function streamWal(parts: StreamParts): Promise<void> {
  const { context, client, opened, wal, tips, from } = parts;
  const bell = new Bell();
  const tip = tips.follow(opened, () => {
    bell.ring();
  });
  const stream = { context, client, wal, source: opened.source, tip, bell, over: false };
  client.sentLsn = from;
  enterPhase(client, 'streaming', context.clock.monotonic_ms());
  try {
    await Promise.all([send(stream), hear(stream)]);
  } finally {
    tip.leave();
  }
}

async function send(stream: Stream): Promise<void> {
  const { context, client, tip, bell } = stream;
  const { connection } = client;
  try {
    while (!stream.over) {
      const endLsn = tip.commitLsn();
      const from = client.sentLsn;
      if (from >= endLsn) {
        await bell.wait();
        continue;
      }
      const to = messageEnd(from, endLsn);
      const bytes = await read(stream, { from, to });
      const now = { endLsn, now_ms: context.clock.now_ms() };
      client.sentLsn = to;
      await connection.write(walHeader(from, to - from, now), ...bytes);
    }
  } catch (failure) {
    await giveUp(stream, failure);
  }
}

/** When nobody has it who kept it before, of those who keep it now. */
async function read(stream: Stream, span: WalSpan): Promise<readonly Uint8Array[]> {
  const { wal, source } = stream;
  try {
    return await wal.read(source, span);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    stream.source = await wal.findAgain(source);
    return wal.read(stream.source, span);
  }
}

/** Hears the client until it ends the copy, or the connection ends. */
async function hear(stream: Stream): Promise<void> {
  try {
    while (await hearOne(stream));
  } catch (failure) {
    await giveUp(stream, failure);
  } finally {
    stream.over = true;
    stream.bell.ring();
  }
}

/** False when nothing more is to be heard. */
async function hearOne({ context, client }: Stream): Promise<boolean> {
  const { connection } = client;
  const message = await connection.next();
  if (message === null) return false;
  heardFrom(client, context.clock.monotonic_ms());
  switch (message.type) {
    case 'd':
      if (wantsKeepalive(message.payload))
        await connection.write(keepalive(client.sentLsn, context.clock.now_ms(), false));
      return true;
    case 'c':
      return false;
    case 'X':
      connection.destroy();
      return false;
    default:
      throw new Failure('postgres_protocol_broken', { type: message.type });
  }
}

/** The stream cannot go on: the client is told why, and hears no more. */
async function giveUp(stream: Stream, failure: unknown): Promise<void> {
  if (!(failure instanceof Failure)) throw failure;
  const { context, client, source } = stream;
  stream.over = true;
  const refusal = refusalOf(failure, 'FATAL', source.segmentSize);
  context.log('info', 'a follower was dismissed', { reason: refusal.message });
  await dismiss(client, refusal, context.clock.monotonic_ms());
}

/** Ends a wait, whether it is rung before or meanwhile. */
class Bell {
  #rung = false;
  #waiting: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#waiting?.();
  }

  async wait(): Promise<void> {
    if (!this.#rung)
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    this.#rung = false;
    this.#waiting = null;
  }
}
