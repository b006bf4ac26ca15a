/**
 * Reign: what the core decides, done: messages to acceptors, news to Postgres and to whoever waits; and
 * how a reign ends.
 */
import { assert, unreachable } from '../../base/assert.ts';
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import {
  inContact,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
} from '../../consensus/proposer-state.ts';
import { type ComputeMessage } from '../compute/protocol.ts';
import { type Address } from './acceptor-links.ts';
import { type ProposerContext, type ProposerShell, type Untold } from './shell.ts';
import { endNudges, report } from './status.ts';

type Shell = ProposerShell;

/** Does what was decided, in order. */
export function perform(context: ProposerContext, shell: Shell, decision: ProposerDecision): void {
  const { state, effects } = decision;
  const { generation } = state.configuration;
  if (shell.core !== null && shell.core.configuration.generation < generation)
    context.log('info', 'the members have changed', {
      generation,
      members: state.members.map(({ id }) => id).join(),
    });
  shell.core = state;
  shell.contacts = state.contacts;
  for (const effect of effects) performEffect(context, shell, effect);
}

function performEffect(context: ProposerContext, shell: Shell, effect: ProposerEffect): void {
  const core = shell.core!;
  const { links, window } = shell;
  const { configuration, term, history } = core;
  const { generation } = configuration;
  switch (effect.kind) {
    case 'append': {
      const { begin, end } = effect;
      if (begin === end) tellSoon(context, shell, effect);
      else sendAppend(shell, effect, begin, window.slice(begin, end));
      return;
    }
    case 'commitMoved':
      onCommitMoved(context, shell, core);
      return;
    case 'greet': {
      const { identity } = shell;
      assert(identity !== null, 'an election says which timeline it is for');
      links.greet(effect, { to: effect.to, identity, configuration });
      return;
    }
    case 'requestVote':
      links.vote(effect, generation, term);
      return;
    case 'install':
      links.install(effect, { generation, term, history, start: effect.start });
      return;
    case 'relay': {
      const { begin, from, fromContact, to, contact } = effect;
      links.relay({ begin, from, fromContact, to, contact }, term);
      return;
    }
    case 'settled':
      onSettled(context, shell, core);
      return;
    case 'fenced':
      fence(context, shell, new Failure('proposer_fenced', { by: effect.term }));
      return;
    default:
      unreachable(effect);
  }
}

const empty = new Uint8Array(0);
/** Under a steady load the next WAL is there sooner, and tells it by the way. */
const tellDelay_ms = 5;

// four parameters: what is sent, and where it belongs
export function sendAppend(shell: Shell, to: Address, begin: Lsn, bytes: Uint8Array): void {
  const { configuration, term, commitLsn, truncateLsn } = shell.core!;
  const { generation } = configuration;
  shell.untold.delete(to.to);
  shell.links.append(to, { generation, term, begin, bytes, commitLsn, truncateLsn });
}

/**
 * Nobody's commit waits for an acceptor to hear of it: readers do, and may wait a moment longer. Before
 * Postgres sends anything, its start waits for them.
 */
function tellSoon(context: ProposerContext, shell: Shell, { to, contact, begin }: Untold): void {
  if (shell.stream === null) {
    sendAppend(shell, { to, contact }, begin, empty);
    return;
  }
  shell.untold.set(to, { to, contact, begin });
  if (shell.tellIsDue) return;
  shell.tellIsDue = true;
  context.after(tellDelay_ms, { kind: 'tellDue' });
}

/** Tells acceptors of commits of which no WAL that was sent meanwhile has told them. */
export function tell(shell: Shell): void {
  shell.tellIsDue = false;
  const untold = [...shell.untold.values()];
  for (const each of untold) {
    const follows = inContact(shell.core!, each.to, each.contact, 'following') !== null;
    if (follows) sendAppend(shell, each, each.begin, empty);
  }
  shell.untold.clear();
}

/** Postgres first: its backends wait. */
function onCommitMoved(context: ProposerContext, shell: Shell, core: ProposerState): void {
  report(context, shell);
  shell.window.dropBelow(core.commitLsn);
  const done = shell.appends.filter(({ end }) => end <= core.commitLsn);
  if (done.length === 0) return;
  shell.appends = shell.appends.filter(({ end }) => end > core.commitLsn);
  for (const { asked } of done) context.answer(asked, { commitLsn: core.commitLsn });
}

function onSettled(context: ProposerContext, shell: Shell, core: ProposerState): void {
  const { elect } = shell;
  if (elect === null) return;
  shell.elect = null;
  const { term, termStart, lastRecordStart } = core;
  context.answer(elect, { term, endOfLog: termStart, lastRecordStart });
}

/** Somebody newer owns the log: nothing of ours will be committed again. */
export function fence(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { elect, core } = shell;
  if (core !== null) shell.core = { ...core, phase: 'fenced' };
  refuseElect(context, shell, new Failure('election_lost', failure.values, failure));
  stopWork(context, shell, failure);
  context.log('warn', 'fenced', failure.values);
  if (elect === null) tellOwner(context, shell, 'proposerFenced');
}

/** Whoever waits for commits of this reign must not wait any longer. */
export function abandon(context: ProposerContext, shell: Shell): void {
  closeStream(shell);
  tellOwner(context, shell, 'postgresGone');
}

export function tellOwner(
  context: ProposerContext,
  { owner, run }: Shell,
  kind: 'postgresGone' | 'proposerFenced',
): void {
  if (owner !== null) context.tell(context.ref<ComputeMessage>(owner), { kind, run });
}

export function refuseElect(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { elect } = shell;
  if (elect === null) return;
  shell.elect = null;
  context.refuse(elect, failure);
  endReign(context, shell, failure);
}

export function endReign(context: ProposerContext, shell: Shell, failure: Failure): void {
  stopWork(context, shell, failure);
  shell.core = null;
  shell.streamed = false;
  shell.troubles.clear();
  const { elect, release } = shell;
  shell.elect = null;
  shell.release = null;
  if (elect !== null) context.refuse(elect, failure);
  if (release !== null) context.refuse(release, failure);
}

/** Ends the stream and refuses everybody who waits for a commit. */
function stopWork(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { appends, follow } = shell;
  closeStream(shell);
  shell.window.clear();
  shell.untold.clear();
  shell.appends = [];
  shell.follow = null;
  for (const { asked } of appends) context.refuse(asked, failure);
  if (follow !== null) context.refuse(follow, failure);
}

export function closeStream(shell: Shell): void {
  endNudges(shell);
  shell.stream?.close();
  shell.stream = null;
  shell.streams += 1;
  shell.opening = false;
}
