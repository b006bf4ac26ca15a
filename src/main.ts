/**
 * The command line: `stemma up` runs a host, every other command asks the host that runs.
 */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { Failure } from './base/failure.ts';
import { defaultConfig, readConfig } from './config.ts';
import { runDevCluster } from './dev-cluster.ts';
import { runHost } from './host.ts';
import { askHost, type HostRequest } from './io/host-client.ts';

interface CommonOptions {
  readonly data: string;
  readonly json?: true;
}

interface UpOptions extends CommonOptions {
  readonly config?: string;
  readonly host?: string;
}

const program = new Command('stemma')
  .description('Serverless storage for stock, unmodified Postgres.')
  .exitOverride();

withCommon(program.command('up').description('run a host in the foreground'))
  .option('--config <file>', 'settings in TOML')
  .option('--host <name>', 'name of this host, when the settings are those of several')
  .action(async (options: UpOptions) => {
    const settings = options.config === undefined ? defaultConfig : readConfig(options.config);
    const config = { ...settings, host_name: options.host ?? settings.host_name };
    await runHost({ config, directory: resolve(options.data), json: options.json === true });
  });

const dev = program.command('dev').description('for trials and tests');
withCommon(dev.command('cluster').description('run several hosts on this machine'))
  .option('--hosts <count>', 'how many, when there is no cluster yet', '3')
  .action(async (options: CommonOptions & { readonly hosts: string }) => {
    const { data, hosts, json } = options;
    await runDevCluster({
      directory: resolve(data),
      hosts: Number(hosts),
      json: json === true,
    });
  });

const branch = program.command('branch').description('branches of the project');
withCommon(branch.command('create <name>').description('cut a branch'))
  .option('--parent <name>', 'branch it is cut from', 'main')
  .option('--at <lsn>', 'where in the past; the end of the log by default')
  .action(
    async (
      name: string,
      options: CommonOptions & { readonly parent: string; readonly at?: string },
    ) => {
      const { parent, at } = options;
      const body = at === undefined ? { name, parent } : { name, parent, at };
      const made = (await ask(options, { method: 'POST', path: '/v1/branches', body })) as Branch;
      print(options, made, [`${made.name} from ${parent} at ${made.parentLsn ?? ''}`]);
    },
  );
withCommon(branch.command('list').description('all branches')).action(
  async (options: CommonOptions) => {
    const path = '/v1/branches';
    const branches = (await ask(options, { method: 'GET', path, body: null })) as Branch[];
    const rows = branches.map((one) => [
      one.name,
      one.parent === null ? '-' : `${one.parent} at ${one.parentLsn ?? ''}`,
      one.endLsn,
      one.halted ?? '',
    ]);
    print(options, branches, table(['branch', 'parent', 'end', ''], rows));
  },
);
withCommon(branch.command('delete <name>').description('delete a branch')).action(
  async (name: string, options: CommonOptions) => {
    await ask(options, { method: 'DELETE', path: branchPath(name), body: null });
    print(options, { name }, [`${name} deleted`]);
  },
);

const endpoint = program.command('endpoint').description('Postgres servers on branches');
withCommon(endpoint.command('start <branch>').description('start Postgres on a branch')).action(
  async (name: string, options: CommonOptions) => {
    const path = branchPath(name, 'start');
    const started = (await ask(options, { method: 'POST', path, body: null })) as StartedEndpoint;
    print(options, started, [`${started.connectionString}  (${started.startMs} ms)`]);
  },
);
withCommon(endpoint.command('stop <branch>').description('stop the Postgres of a branch')).action(
  async (name: string, options: CommonOptions) => {
    await ask(options, { method: 'POST', path: branchPath(name, 'stop'), body: null });
    print(options, { branch: name }, [`${name} stopped`]);
  },
);
withCommon(endpoint.command('list').description('all endpoints')).action(
  async (options: CommonOptions) => {
    const path = '/v1/endpoints';
    const endpoints = (await ask(options, { method: 'GET', path, body: null })) as Endpoint[];
    const rows = endpoints.map((one) => [
      one.branch,
      one.host,
      one.state,
      one.connectionString ?? '-',
    ]);
    print(options, endpoints, table(['branch', 'host', 'state', 'connection string'], rows));
  },
);

const acceptor = program.command('acceptor').description('acceptors of a branch');
withCommon(
  acceptor.command('list <branch>').description('who they are and how far each is'),
).action(async (name: string, options: CommonOptions) => {
  const path = branchPath(name, 'members');
  const members = (await ask(options, { method: 'GET', path, body: null })) as Member[];
  const rows = members.map((one) => [
    one.member,
    one.host,
    one.role,
    String(one.term ?? '-'),
    one.flushLsn ?? 'no answer',
  ]);
  print(options, members, table(['member', 'host', 'role', 'term', 'on disk'], rows));
});
withCommon(acceptor.command('replace <branch> <member>').description('put a new one in its place'))
  .requiredOption('--with <host>', 'host of the new one; it may be that of the old one')
  .action(
    async (name: string, member: string, options: CommonOptions & { readonly with: string }) => {
      const path = branchPath(name, 'members/replace');
      const body = { member, host: options.with };
      const report = (await ask(options, { method: 'POST', path, body })) as Changed;
      print(options, report, [`${name}: ${report.members.join(', ')}`]);
    },
  );

withCommon(
  acceptor.command('abort <branch>').description('call off a replacement that is under way'),
).action(async (name: string, options: CommonOptions) => {
  const path = branchPath(name, 'members/abort');
  const report = (await ask(options, { method: 'POST', path, body: null })) as Changed;
  print(options, report, [`${name}: ${report.members.join(', ')}`]);
});

withCommon(
  program
    .command('verify <branch>')
    .description('rebuild every block of a branch and compare it with what its Postgres has'),
).action(async (name: string, options: CommonOptions) => {
  const path = branchPath(name, 'verify');
  const report = (await ask(options, { method: 'POST', path, body: null })) as Verified;
  const { lsn, relations, blocks, slruPages, differences, first } = report;
  const counts = `${relations} relations, ${blocks} blocks, ${slruPages} slru pages`;
  print(options, report, [`${lsn}: ${counts}, ${differences} differences`, ...first]);
  if (differences > 0) process.exitCode = 1;
});

interface Branch {
  readonly name: string;
  readonly parent: string | null;
  readonly parentLsn: string | null;
  readonly endLsn: string;
  readonly halted: string | null;
}
interface Member {
  readonly member: string;
  readonly host: string;
  readonly role: string;
  readonly term: number | null;
  readonly flushLsn: string | null;
}
interface Changed {
  readonly members: readonly string[];
}
interface StartedEndpoint {
  readonly connectionString: string;
  readonly startMs: number;
}
interface Endpoint {
  readonly branch: string;
  readonly host: string;
  readonly state: string;
  readonly connectionString: string | null;
}
interface Verified {
  readonly lsn: string;
  readonly relations: number;
  readonly blocks: number;
  readonly slruPages: number;
  readonly differences: number;
  readonly first: readonly string[];
}

function withCommon(command: Command): Command {
  return command
    .option('--data <dir>', 'data directory of the host', '.stemma')
    .option('--json', 'print JSON');
}

function ask(options: CommonOptions, asked: HostRequest): Promise<unknown> {
  return askHost(resolve(options.data), asked);
}

function branchPath(name: string, verb?: string): string {
  const path = `/v1/branches/${encodeURIComponent(name)}`;
  return verb === undefined ? path : `${path}/${verb}`;
}

function print(options: CommonOptions, value: unknown, lines: readonly string[]): void {
  const text = options.json === true ? JSON.stringify(value) : lines.join('\n');
  process.stdout.write(`${text}\n`);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (error instanceof Failure) {
    process.stderr.write(`stemma: ${error.message}\n`);
    process.exitCode = 1;
  } else throw error;
}
