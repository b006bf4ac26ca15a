/**
 * Mutants: deliberate defects of the protocol that the simulation must find, and within how many seeds,
 * counted from 1. Each is a few lines of a module's source that are read differently: what runs without
 * `--mutant` knows nothing of them. A text that is not there exactly once fails the run.
 */
export interface Patch {
  /** From the repository's root. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  /** What it does, in a sentence. */
  readonly defect: string;
  /** Seeds that are enough. */
  readonly within: number;
  /** Whether it takes Raft's figure 8 to show it. */
  readonly isFigureEight?: true;
  readonly patches: readonly Patch[];
}

const acceptor = 'src/consensus/acceptor.ts';
const acceptorActor = 'src/actors/acceptor/acceptor.ts';
const proposer = 'src/consensus/proposer.ts';
const membership = 'src/consensus/membership.ts';
const term = 'src/consensus/term.ts';
const change = 'src/consensus/change.ts';

export const mutants = {
  answersBeforeSync: {
    defect: 'an append is answered before it is on disk',
    within: 3,
    patches: [{ file: acceptorActor, from: '  store.log.sync();\n', to: '' }],
  },
  forgetsVotes: {
    defect: 'a vote is not made durable',
    within: 10,
    patches: [
      {
        file: acceptor,
        from: 'return follow(state, { ...state, term: request.term });',
        to: "return successor(state, { ...state, term: request.term }, [{ kind: 'answer' }]);",
      },
    ],
  },
  keepsLoserRecords: {
    defect: 'an election does not cut what contradicts the winner’s log',
    within: 6,
    patches: [
      {
        file: acceptor,
        from: '    writeLsn: point,\n    recordLsn: point,\n    flushLsn: point,\n',
        to: '',
      },
      { file: acceptor, from: '    ...truncation(state, point),\n', to: '' },
    ],
  },
  cutsBelowCommit: {
    defect: 'an election cuts the log below what is committed',
    within: 3,
    patches: [
      {
        file: term,
        from: 'return maxLsn(point, proposer[0]!.start);',
        to: 'return minLsn(point, proposer[shared]!.start);',
      },
      { file: acceptor, from: 'ensure(point >= state.commitLsn,', to: 'ensure(point >= 0,' },
      {
        file: acceptor,
        from: "assert(end >= state.commitLsn, 'committed WAL is never cut');",
        to: '',
      },
      {
        file: acceptor,
        from: "assert(after.commitLsn <= after.flushLsn, 'what is committed here is on disk here');",
        to: '',
      },
    ],
  },
  takesLongestLog: {
    defect: 'the donor is whose log is longest, whatever its last term',
    within: 200,
    patches: [
      {
        file: term,
        from: 'return terms !== 0 ? terms : a.flushLsn - b.flushLsn;',
        to: 'return terms * 0 + a.flushLsn - b.flushLsn;',
      },
    ],
  },
  donorByTermHeard: {
    defect: 'the donor is who followed the newest term, whether or not its log has reached it',
    within: 200,
    patches: [
      {
        file: term,
        from: 'return cutHistory(history, flushLsn).at(-1)!.term;',
        to: 'return flushLsn >= 0 ? history.at(-1)!.term : history[0]!.term;',
      },
      {
        file: acceptor,
        from: 'history: cutHistory(state.history, state.flushLsn),',
        to: 'history: state.history,',
      },
    ],
  },
  reportsPartOfRecord: {
    defect: 'what is stored is reported as flushed, not where the last whole record ends',
    within: 3,
    patches: [
      { file: acceptor, from: 'flushLsn: state.recordLsn });', to: 'flushLsn: state.writeLsn });' },
    ],
  },
  commitsOnElection: {
    defect: 'the end of the donor’s log, of older terms, is taken for the commit position',
    within: 50,
    patches: [
      {
        file: proposer,
        from: 'const commitLsn = lsn(Math.max(...votes.map((vote) => vote.commitLsn)));',
        to: 'const commitLsn = start;',
      },
    ],
  },
  lostMemberReturns: {
    defect: 'a member that lost its disk begins its log again',
    within: 20,
    patches: [
      {
        file: 'test/sim/host-control.ts',
        from: 'const isBorn = branch.pending.includes(id);',
        to: 'const isBorn = true;',
      },
    ],
  },
  ignoresGeneration: {
    defect: 'acceptors obey proposers of any configuration, who do not learn of newer ones',
    within: 200,
    patches: [
      {
        file: proposer,
        from: 'if (result.configuration.generation > state.configuration.generation)',
        to: 'if (result.configuration.generation > Infinity)',
      },
      {
        file: acceptor,
        from: "ensure(generation >= own, 'generation_stale'",
        to: "ensure(generation >= 0, 'generation_stale'",
      },
      {
        file: acceptor,
        from: "ensure(generation === own, 'generation_unknown'",
        to: "ensure(generation >= 0, 'generation_unknown'",
      },
    ],
  },
  obeysStaleProposer: {
    defect: 'a proposer of an older term is not fenced',
    within: 20,
    patches: [
      {
        file: acceptor,
        from: "if (append.term < state.term) return { state, effects: [{ kind: 'answer' }] };",
        to: '',
      },
      {
        file: acceptor,
        from: 'lastEntry(state.history).term === append.term && append.term === state.term;',
        to: 'lastEntry(state.history).term === append.term;',
      },
      {
        file: proposer,
        from: `  if (result.term > state.term) return fence(state, result.term);
  assert(result.term === state.term, 'whoever answers a term has reached it');
  // Answers`,
        to: '  // Answers',
      },
    ],
  },
  removesBeforeUpload: {
    defect: 'WAL is removed before it is known to be in the object store',
    within: 100,
    patches: [
      {
        file: 'src/actors/archiver/archive-plan.ts',
        from: 'const floor = [archivedLsn, kept, ...durable].reduce(minLsn);',
        to: 'const floor = [archivedLsn, kept, ...durable].slice(1).reduce(minLsn);',
      },
    ],
  },
  servesUncommitted: {
    defect: 'readers get what is on this disk, committed or not',
    within: 3,
    patches: [
      {
        file: acceptorActor,
        from: 'return term === null ? core.commitLsn : core.flushLsn;',
        to: 'return term === null ? core.flushLsn : core.flushLsn;',
      },
    ],
  },
  oldMembersDecide: {
    defect: 'under a joint configuration the old members alone elect and commit',
    within: 400,
    patches: [
      {
        file: membership,
        from: 'return newMembers === null ? [members] : [members, newMembers];',
        to: 'return newMembers === null ? [members] : [members];',
      },
      {
        file: membership,
        from: 'return newMembers === null ? own : minLsn(own, majorityLsn(newMembers, reached));',
        to: 'return newMembers === null ? own : maxLsn(own, lsnZero);',
      },
      {
        file: membership,
        from: "import { lsnZero, minLsn, type Lsn } from '../base/lsn.ts';",
        to: "import { lsnZero, maxLsn, type Lsn } from '../base/lsn.ts';",
      },
    ],
  },
  newMembersElect: {
    defect: 'under a joint configuration the new members alone elect',
    within: 200,
    patches: [
      {
        file: membership,
        from: 'return newMembers === null ? [members] : [members, newMembers];',
        to: 'return newMembers === null ? [members] : [newMembers];',
      },
    ],
  },
  closesBeforeSyncPoint: {
    defect: 'new members stand alone before they have what the old ones committed',
    within: 50,
    patches: [
      {
        file: change,
        from: 'if (isReached(sync, target, known)) return',
        to: 'if (known.standings.length > 0 || isReached(sync, target, known)) return',
      },
    ],
  },
  commitsBelowTermStart: {
    defect: 'a commit counts members that have not reached the own term (Raft’s figure 8)',
    within: 3,
    isFigureEight: true,
    patches: [
      {
        file: 'src/consensus/replication.ts',
        from: "phase === 'following' && flushLsn >= termStart ?",
        to: "phase === 'following' && (flushLsn >= termStart || flushLsn > 0) ?",
      },
    ],
  },
} as const satisfies Record<string, Mutant>;

export type MutantName = keyof typeof mutants;

/** Fails when there is none of that name. */
export function mutantNamed(name: string): MutantName {
  if (name in mutants) return name as MutantName;
  throw new Error(`no such mutant: ${name}; there are ${Object.keys(mutants).join(', ')}`);
}
