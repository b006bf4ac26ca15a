/**
 * Startup: what a client says as it connects: that it wants physical replication, and of which branch.
 *
 * The branch is a setting like any other of Postgres's, so that every client can name it:
 * `options='-c stemma.branch=dev'` in a connection string, or `PGOPTIONS`. Without it, `main`.
 */
import { ensure, Failure } from '../../base/failure.ts';

export interface ReplicationStartup {
  readonly branch: string;
  readonly applicationName: string;
}

const branchSetting = 'stemma.branch';
const defaultBranch = 'main';
const sqlstates = {
  notSupported: '0A000',
  noUser: '28000',
  invalidValue: '22023',
  unknownSetting: '42704',
  syntaxError: '42601',
} as const;
/** `parse_bool`: words and what they may be cut to. */
const yes = /^(t|tr|tru|true|y|ye|yes|on|1)$/i;
const no = /^(f|fa|fal|fals|false|n|no|of|off|0)$/i;

/** Fails with `replication_refused`, whose SQLSTATE says why. */
export function readStartup(parameters: ReadonlyMap<string, string>): ReplicationStartup {
  const user = parameters.get('user') ?? '';
  if (user === '') throw refused('noUser', 'a user must be named');
  checkReplication(parameters.get('replication') ?? 'false');
  let branch = defaultBranch;
  for (const [name, value] of readOptions(parameters.get('options') ?? '')) {
    if (name !== branchSetting) throw refused('unknownSetting', `no setting "${name}" here`);
    branch = value;
  }
  return { branch, applicationName: parameters.get('application_name') ?? '' };
}

function checkReplication(value: string): void {
  if (yes.test(value)) return;
  if (value === 'database')
    throw refused('notSupported', 'logical replication is offered by the endpoint of the branch');
  if (!no.test(value)) throw refused('invalidValue', `invalid value of "replication": "${value}"`);
  throw refused(
    'notSupported',
    'this port is for physical replication; for SQL connect to the endpoint of the branch',
  );
}

/** Settings given as `-c name=value`, `-cname=value` or `--name=value`. */
function readOptions(text: string): [string, string][] {
  const settings: [string, string][] = [];
  const words = splitOptions(text);
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const given = word === '-c' ? words[(at += 1)] : /^(?:-c|--)(.+)$/s.exec(word)?.[1];
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(given ?? '') ?? [];
    const readable = name !== undefined && value !== undefined;
    ensure(readable, 'replication_refused', {
      sqlstate: sqlstates.syntaxError,
      reason: `options "${text}" are not of the form "-c ${branchSetting}=NAME"`,
    });
    settings.push([name, value]);
  }
  return settings;
}

/** `pg_split_opts`: words between blanks; a backslash keeps what follows it. */
function splitOptions(text: string): string[] {
  const words = text.match(/(?:\\.|[^\s\\])+/gs) ?? [];
  return words.map((word) => word.replace(/\\(.)/gs, '$1'));
}

function refused(why: keyof typeof sqlstates, reason: string): Failure {
  return new Failure('replication_refused', { sqlstate: sqlstates[why], reason });
}
