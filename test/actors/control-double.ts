/** A control that only knows where the WAL of branches is. */
import { Failure } from '../../src/base/failure.ts';
import { type BranchWal, type ControlMessage } from '../../src/actors/control/protocol.ts';
import { defineActor } from '../../src/runtime/actor.ts';

/** By the branch's name. */
export type DoubleBranches = Readonly<Record<string, BranchWal>>;

export const controlDouble = defineActor<ControlMessage, DoubleBranches, DoubleBranches>({
  name: 'control',
  mailboxMax: 64,
  restart: 'permanent',
  start: (_context, branches) => branches,
  receive: (context, branches, message) => {
    if (message.kind === 'findAcceptors') {
      const ranges = Object.values(branches).flatMap((branch) => branch.ranges);
      const found = ranges.find(({ timeline }) => timeline === message.timeline);
      if (found === undefined) throw new Failure('branch_missing', { timeline: message.timeline });
      context.answer(message, [...found.acceptors]);
    }
    if (message.kind !== 'findWal') return;
    const found = branches[message.branch];
    if (found === undefined) throw new Failure('branch_missing', { branch: message.branch });
    context.answer(message, structuredClone(found));
  },
  stop: () => undefined,
});
