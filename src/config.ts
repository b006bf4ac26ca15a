/**
 * Config: every setting, declared once, with its unit in its name. The declaration parses, bounds
 * and documents a configuration file (TOML, flat). Unknown names are refused.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { ensure, Failure } from './base/failure.ts';

interface NumberSetting {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly powerOfTwo?: boolean;
  readonly doc: string;
}
interface TextSetting {
  readonly default: string;
  readonly pattern: RegExp;
  readonly doc: string;
}
/** A list of texts. */
interface ListSetting {
  readonly default: readonly string[];
  readonly each: RegExp;
  readonly doc: string;
}
type Setting = NumberSetting | TextSetting | ListSetting;

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

const settings = {
  host_name: {
    default: 'host',
    pattern: /^[a-z0-9][a-z0-9-]{0,30}$/,
    doc: 'Name of this host among those of its cluster. Never changed: acceptors are known by it.',
  },
  hosts: {
    default: [] as readonly string[],
    each: /^[a-z0-9][a-z0-9-]{0,30}=[^:=\s]+:\d{1,5}$/,
    doc: 'All hosts of the cluster, as `name=address:port`; none for a host on its own.',
  },
  cluster_secret: {
    default: '',
    pattern: /^[\x21-\x7e]{0,200}$/,
    doc: 'What the hosts of a cluster prove to each other that they know; at least 16 characters.',
  },
  object_store: {
    default: '',
    pattern: /^(\/.*)?$/,
    doc: 'Folder of the object store, shared by all hosts; empty for `store` in the data directory.',
  },
  page_copies: {
    default: 2,
    min: 1,
    max: 3,
    doc: 'Hosts that keep the pages of a branch, so that its Postgres can start on any of them at once.',
  },
  api_address: {
    default: '127.0.0.1',
    pattern: /^(127\.\d+\.\d+\.\d+|localhost|::1)$/,
    doc: 'Loopback address of the HTTP interface.',
  },
  api_port: {
    default: 7432,
    min: 0,
    max: 65_535,
    doc: 'TCP port of the HTTP interface; 0 takes a free one.',
  },
  replication_address: {
    default: '127.0.0.1',
    pattern: /^(127\.\d+\.\d+\.\d+|localhost|::1)$/,
    doc: 'Loopback address where followers of branches get their WAL.',
  },
  replication_port: {
    default: 7433,
    min: 0,
    max: 65_535,
    doc: 'TCP port where followers get WAL, by physical replication; 0 takes a free one.',
  },
  max_wal_senders: {
    default: 16,
    min: 1,
    max: 1_024,
    doc: 'Followers connected at once; more are refused.',
  },
  wal_sender_timeout_ms: {
    default: 60_000,
    min: 100,
    max: 3_600_000,
    doc: 'A follower that says nothing for so long is dropped.',
  },
  postgres_major: {
    default: 18,
    min: 15,
    max: 18,
    doc: 'Major version of the Postgres a new project runs.',
  },
  wal_segment_bytes: {
    default: 16 * mebibyte,
    min: mebibyte,
    max: gibibyte,
    powerOfTwo: true,
    doc: 'Size of the WAL segments of a new project.',
  },
  wal_keep_bytes: {
    default: 64 * mebibyte,
    min: mebibyte,
    max: 2 ** 40,
    doc: 'So much committed WAL of a branch stays with each acceptor; what is older is in the object store.',
  },
  wal_idle_ms: {
    default: 5_000,
    min: 100,
    max: 3_600_000,
    doc: 'A branch without a commit for so long is idle: its last, partial segment is archived.',
  },
  postgres_address: {
    default: '127.0.0.1',
    pattern: /^(127\.\d+\.\d+\.\d+|localhost|::1)$/,
    doc: 'Loopback address Postgres listens on.',
  },
  postgres_first_port: {
    default: 54_320,
    min: 0,
    max: 65_000,
    doc: 'Endpoints take free ports from here upwards; with 0, any free ones.',
  },
  postgres_uid: {
    default: 65_534,
    min: 1,
    max: 2 ** 31,
    doc: 'User id Postgres runs as. It refuses to run as root.',
  },
  postgres_gid: {
    default: 65_534,
    min: 1,
    max: 2 ** 31,
    doc: 'Group id Postgres runs as.',
  },
  shared_buffers_bytes: {
    default: 128 * mebibyte,
    min: mebibyte,
    max: 64 * gibibyte,
    doc: 'shared_buffers of every Postgres.',
  },
  max_connections: {
    default: 100,
    min: 5,
    max: 10_000,
    doc: 'max_connections of every Postgres.',
  },
  postgres_start_timeout_ms: {
    default: 60_000,
    min: 1_000,
    max: 3_600_000,
    doc: 'How long a Postgres may take to accept connections.',
  },
  postgres_stop_timeout_ms: {
    default: 30_000,
    min: 100,
    max: 3_600_000,
    doc: 'How long a fast shutdown may take before Postgres is killed.',
  },
  page_cache_bytes: {
    default: 64 * mebibyte,
    min: mebibyte,
    max: 2 ** 40,
    doc: 'Shared memory for rebuilt pages. Touched only as pages are rebuilt.',
  },
  open_layer_max_bytes: {
    default: 64 * mebibyte,
    min: 65_536,
    max: 4 * gibibyte,
    doc: 'An open layer of this size is frozen and written out.',
  },
  image_min_pages: {
    default: 256,
    min: 1,
    max: 2 ** 32,
    doc: 'Blocks in a row that a frozen layer rewrote heavily get an image when they are this many.',
  },
  overlay_target_bytes: {
    default: 256 * mebibyte,
    min: 0,
    max: 2 ** 40,
    doc: 'Pages Postgres wrote are dropped, oldest first, while they take more room than this.',
  },
  overlay_max_bytes: {
    default: 64 * gibibyte,
    min: 16 * mebibyte,
    max: 2 ** 40,
    doc: 'Room for pages Postgres wrote that cannot be dropped yet; beyond it writes fail.',
  },
  trim_sample_ms: {
    default: 1_000,
    min: 10,
    max: 3_600_000,
    doc: 'How often a running Postgres is asked which transactions still run.',
  },
  filesystem_reader_threads: {
    default: 2,
    min: 1,
    max: 8,
    doc: 'Threads that answer reads and writes of one mount.',
  },
} as const satisfies Readonly<Record<string, Setting>>;

type Settings = typeof settings;
type Widened<T> = T extends number ? number : T extends string ? string : readonly string[];
export type Config = {
  readonly [Name in keyof Settings]: Widened<Settings[Name]['default']>;
};

export const defaultConfig = Object.fromEntries(
  Object.entries(settings).map(([name, setting]) => [name, setting.default]),
) as Config;

/** Reads a TOML file over the defaults. Fails with `config_unreadable` or `config_invalid`. */
export function readConfig(path: string): Config {
  return parseConfig(readText(path), path);
}

/** Parses TOML text over the defaults; `path` is only named in failures. */
export function parseConfig(text: string, path: string): Config {
  const given = parseToml(text, path);
  for (const [name, value] of Object.entries(given)) check(name, value, path);
  return Object.freeze({ ...defaultConfig, ...given });
}

/** The settings as a Markdown table: the whole of docs/config.md. */
export function describeSettings(): string {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const escaped = boundsOf(setting).replaceAll('|', '\\|');
    const given = typeof setting.default === 'object' ? '[]' : setting.default;
    return `| \`${name}\` | ${given} | ${escaped} | ${setting.doc} |`;
  });
  const head = [
    '# Settings',
    '',
    'A configuration file is flat TOML. Unknown names are refused.',
    '',
  ];
  return [...head, '| name | default | allowed | meaning |', '|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
}

function boundsOf(setting: Setting): string {
  if ('min' in setting) return range(setting);
  return 'each' in setting ? `list of ${setting.each.source}` : setting.pattern.source;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Failure('config_unreadable', { path, reason: String(cause) }, cause);
  }
}

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    throw new Failure('config_invalid', { path, reason: String(cause) }, cause);
  }
}

function check(name: string, value: unknown, path: string): void {
  ensure(Object.hasOwn(settings, name), 'config_invalid', { path, reason: `no setting ${name}` });
  const allowed = isAllowed(settings[name as keyof Settings], value);
  const given = name === 'cluster_secret' ? 'what it is' : JSON.stringify(value); // not for the log
  ensure(allowed, 'config_invalid', { path, reason: `${name} = ${given}` });
}

function isAllowed(setting: Setting, value: unknown): boolean {
  if ('min' in setting) return typeof value === 'number' && isWithin(setting, value);
  if ('pattern' in setting) return typeof value === 'string' && setting.pattern.test(value);
  const list: readonly unknown[] = Array.isArray(value) ? value : [null];
  return list.every((each) => typeof each === 'string' && setting.each.test(each));
}

function isWithin({ min, max, powerOfTwo = false }: NumberSetting, value: number): boolean {
  return value >= min && value <= max && (!powerOfTwo || Number.isInteger(Math.log2(value)));
}

function range({ min, max, powerOfTwo = false }: NumberSetting): string {
  return `${min} to ${max}${powerOfTwo ? ', a power of two' : ''}`;
}
