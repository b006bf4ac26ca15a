/**
 * PostgresReplies: what a Postgres server says, as bytes
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html).
 */
import { Writer } from 'pg-protocol/dist/buffer-writer.js';

/** Why a server refuses: as an error the session goes on, as a fatal one it is over. */
export interface Refusal {
  readonly severity: 'ERROR' | 'FATAL';
  readonly sqlstate: string;
  readonly message: string;
}

/** A column of a result; numbers are sent as text too. */
export interface ResultColumn {
  readonly name: string;
  readonly type: 'text' | 'int8';
}

/** Type oids and sizes of `pg_type`. */
const columnTypes = {
  text: { oid: 25, size: -1 },
  int8: { oid: 20, size: 8 },
} as const;
/** The protocol spoken: major in the high 16 bits, minor in the low ones. */
export const protocolVersion = 0x00030000;

const writer = new Writer();
const types = {
  authentication: code('R'),
  backendKey: code('K'),
  commandComplete: code('C'),
  copyBoth: code('W'),
  copyDone: code('c'),
  dataRow: code('D'),
  emptyQuery: code('I'),
  error: code('E'),
  negotiate: code('v'),
  parameter: code('S'),
  ready: code('Z'),
  rowDescription: code('T'),
} as const;

/** The client is let in without being asked for anything. */
export function authenticationOk(): Buffer {
  return writer.addInt32(0).flush(types.authentication);
}

/** What the client asked for beyond the protocol's version 3.0, and does not get. */
export function negotiateVersion(unknownOptions: readonly string[]): Buffer {
  writer.addInt32(protocolVersion).addInt32(unknownOptions.length);
  for (const option of unknownOptions) writer.addCString(option);
  return writer.flush(types.negotiate);
}

export function parameterStatus(name: string, value: string): Buffer {
  return writer.addCString(name).addCString(value).flush(types.parameter);
}

/** What a request to cancel would have to name. */
export function backendKeyData(process: number, secret: number): Buffer {
  return writer.addInt32(process).addInt32(secret).flush(types.backendKey);
}

/** The server waits for a command, outside of any transaction. */
export function readyForQuery(): Buffer {
  return writer.addString('I').flush(types.ready);
}

export function errorResponse({ severity, sqlstate, message }: Refusal): Buffer {
  for (const [field, value] of [
    ['S', severity],
    ['V', severity],
    ['C', sqlstate],
    ['M', message],
  ] as const)
    writer.addString(field).addCString(value);
  return writer.addCString('').flush(types.error);
}

/** One row of text. */
export function resultRow(
  columns: readonly ResultColumn[],
  values: readonly (string | null)[],
): Buffer {
  writer.addInt16(columns.length);
  for (const { name, type } of columns) {
    const { oid, size } = columnTypes[type];
    writer.addCString(name).addInt32(0).addInt16(0); // of no table
    writer.addInt32(oid).addInt16(size).addInt32(-1).addInt16(0);
  }
  const description = writer.flush(types.rowDescription);
  writer.addInt16(values.length);
  for (const value of values) {
    if (value === null) writer.addInt32(-1);
    else writer.addInt32PrefixedString(value);
  }
  return Buffer.concat([description, writer.flush(types.dataRow)]);
}

export function commandComplete(tag: string): Buffer {
  return writer.addCString(tag).flush(types.commandComplete);
}

/** The answer to a command without words. */
export function emptyQueryResponse(): Buffer {
  return writer.flush(types.emptyQuery);
}

/** From now on both sides send copy data: bytes, without columns. */
export function copyBothResponse(): Buffer {
  return writer.addString('\0').addInt16(0).flush(types.copyBoth);
}

export function copyDone(): Buffer {
  return writer.flush(types.copyDone);
}

function code(letter: string): number {
  return letter.charCodeAt(0);
}
