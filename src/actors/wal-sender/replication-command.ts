/**
 * ReplicationCommand: what a client of physical replication may ask for, read from its text
 * (https://www.postgresql.org/docs/current/protocol-replication.html). Commands and options are
 * taken in upper or lower case; names in double quotes keep theirs.
 *
 * Replication slots are not kept here, for history is: they can be named, made and dropped, so that
 * clients configured with one work, and nothing comes of it. Read, one of any name stands at the oldest
 * WAL there is.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { parseLsn, type Lsn } from '../../base/lsn.ts';

export type ReplicationCommand =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'identifySystem' }
  | { readonly kind: 'show'; readonly name: string }
  | { readonly kind: 'timelineHistory'; readonly timelineId: number }
  | { readonly kind: 'createSlot' | 'dropSlot' | 'readSlot'; readonly slot: string }
  | {
      readonly kind: 'startReplication';
      readonly from: Lsn;
      /** null is the newest. */
      readonly timelineId: number | null;
    };

const sqlstates = { syntaxError: '42601', notSupported: '0A000', invalidName: '42602' } as const;
/** Words, names in quotes, texts, positions and numbers, single signs; blanks lie between. */
const tokenPattern = /"(?:[^"]|"")*"|'(?:[^']|'')*'|[0-9a-f]+\/[0-9a-f]+|[\w.$]+|[^\s\w]/giu;
/** `ReplicationSlotValidateName`. */
const slotPattern = /^[a-z0-9_]{1,63}$/;
/** What is only offered by a server with a database behind it. */
const unsupported = ['BASE_BACKUP', 'ALTER_REPLICATION_SLOT', 'UPLOAD_MANIFEST'];

/** Fails with `replication_refused`, whose SQLSTATE says why, or `lsn_unreadable`. */
export function parseReplicationCommand(text: string): ReplicationCommand {
  const tokens = new Tokens(text);
  if (tokens.skip(';') || tokens.isDone) return { kind: 'nothing' };
  const command = parseCommand(tokens, tokens.take().toUpperCase());
  tokens.skip(';');
  tokens.expectEnd();
  return command;
}

function parseCommand(tokens: Tokens, word: string): ReplicationCommand {
  switch (word) {
    case 'IDENTIFY_SYSTEM':
      return { kind: 'identifySystem' };
    case 'SHOW':
      return { kind: 'show', name: tokens.take().toLowerCase() };
    case 'TIMELINE_HISTORY':
      return { kind: 'timelineHistory', timelineId: tokens.takeNumber() };
    case 'CREATE_REPLICATION_SLOT':
      return parseCreateSlot(tokens);
    case 'DROP_REPLICATION_SLOT': {
      const slot = tokens.takeSlot();
      tokens.skip('WAIT');
      return { kind: 'dropSlot', slot };
    }
    case 'READ_REPLICATION_SLOT':
      return { kind: 'readSlot', slot: tokens.takeSlot() };
    case 'START_REPLICATION':
      return parseStartReplication(tokens);
    default:
      throw unsupported.includes(word)
        ? notSupported(`${word} is not offered`)
        : notSupported('this connection is for physical replication, not for SQL');
  }
}

function parseCreateSlot(tokens: Tokens): ReplicationCommand {
  const slot = tokens.takeSlot();
  tokens.skip('TEMPORARY');
  if (tokens.skip('LOGICAL')) throw noLogical();
  tokens.expect('PHYSICAL');
  if (!tokens.skip('RESERVE_WAL') && tokens.skip('(')) tokens.skipPast(')');
  return { kind: 'createSlot', slot };
}

function parseStartReplication(tokens: Tokens): ReplicationCommand {
  if (tokens.skip('SLOT')) tokens.takeSlot();
  tokens.skip('PHYSICAL');
  if (tokens.skip('LOGICAL')) throw noLogical();
  const from = parseLsn(tokens.take());
  const timelineId = tokens.skip('TIMELINE') ? tokens.takeNumber() : null;
  return { kind: 'startReplication', from, timelineId };
}

function noLogical(): Failure {
  return notSupported('logical replication is offered by the endpoint of the branch');
}

function notSupported(reason: string): Failure {
  return new Failure('replication_refused', { sqlstate: sqlstates.notSupported, reason });
}

/** A command's words, taken one after the other. */
class Tokens {
  readonly #text: string;
  readonly #tokens: readonly string[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = text.match(tokenPattern) ?? [];
  }

  get isDone(): boolean {
    return this.#next === this.#tokens.length;
  }

  take(): string {
    const token = this.#tokens[this.#next];
    this.#ensure(token !== undefined);
    this.#next += 1;
    return token;
  }

  /** Takes the next token if it is this word. */
  skip(word: string): boolean {
    if (this.#tokens[this.#next]?.toUpperCase() !== word) return false;
    this.#next += 1;
    return true;
  }

  expect(word: string): void {
    this.#ensure(this.skip(word));
  }

  skipPast(sign: string): void {
    while (this.take() !== sign);
  }

  takeNumber(): number {
    const token = this.take();
    this.#ensure(/^\d{1,10}$/.test(token));
    return Number(token);
  }

  takeSlot(): string {
    const token = this.take();
    const quoted = token.startsWith('"');
    const slot = quoted ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase();
    ensure(slotPattern.test(slot), 'replication_refused', {
      sqlstate: sqlstates.invalidName,
      reason: `replication slot name "${slot}" is not made of a-z, 0-9 and _`,
    });
    return slot;
  }

  expectEnd(): void {
    this.#ensure(this.isDone);
  }

  #ensure(holds: boolean): asserts holds {
    const reason = `syntax error in "${this.#text}"`;
    ensure(holds, 'replication_refused', { sqlstate: sqlstates.syntaxError, reason });
  }
}
