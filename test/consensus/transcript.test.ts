/**
 * Transcripts: scripts of messages and events to an acceptor, a proposer or a change of members, with
 * what it does written below each. `GOLDEN=write` rewrites them; a change shows in review as a changed
 * conversation. A script's name says whom it is spoken with.
 */
import { equal } from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { AcceptorScript } from './acceptor-script.ts';
import { ChangeScript } from './change-script.ts';
import { ProposerScript } from './proposer-script.ts';
import { Values } from './script-values.ts';

interface Script {
  run(verb: string, values: Values): readonly string[];
}

const directory = new URL('../golden/consensus/', import.meta.url);
const scripts: Readonly<Record<string, new () => Script>> = {
  acceptor: AcceptorScript,
  change: ChangeScript,
  proposer: ProposerScript,
};

for (const name of readdirSync(directory)) {
  test(`transcript: ${name}`, () => {
    const path = new URL(name, directory);
    const expected = readFileSync(path, 'utf8');

    const actual = play(expected, new scripts[name.split(/[-.]/)[0]!]!());

    if (process.env['GOLDEN'] === 'write') writeFileSync(path, actual);
    equal(actual, readFileSync(path, 'utf8'));
  });
}

/** The commands again, with what happens below each. */
function play(text: string, script: Script): string {
  const played = text
    .trimEnd()
    .split('\n\n')
    .map((block) => {
      const command = block.split('\n----')[0]!;
      const [verb, ...pairs] = command.split('\n').at(-1)!.split(' ');
      return [command, '----', ...said(script, verb!, new Values(pairs))].join('\n');
    });
  return `${played.join('\n\n')}\n`;
}

function said(script: Script, verb: string, values: Values): readonly string[] {
  try {
    return script.run(verb, values);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    return [`refused: ${failure.message}`];
  }
}
