/**
 * Plants: protocol defects, put into the real acceptor or under it, that the simulation must find.
 */
import { type AppendResult } from '../../src/consensus/messages.ts';
import { bound } from './bound-context.ts';
import { type AcceptorBehavior, type Plant } from './watched-acceptor.ts';

export const plants = {
  /** Appends are answered although the log was not synced. */
  answersBeforeSync: (inner, disk) => {
    disk.lie = (operation, path) => operation === 'sync' && path.includes('/wal/');
    return inner;
  },

  /** The control file that holds a vote is not made durable. */
  forgetsVotes: (inner, disk) =>
    receiving(inner, (context, shell, message) => {
      const voting = message.kind === 'vote';
      disk.lie = voting ? (operation) => operation === 'syncDirectory' : null;
      try {
        void inner.receive(context, shell, message);
      } finally {
        disk.lie = null;
      }
    }),

  /** What is stored is reported, not where the last complete record ends. */
  reportsPartOfRecord: (inner) =>
    receiving(inner, (context, shell, message) => {
      const answering = {
        ...bound(context),
        answer: ((asked, result) => {
          const { writeLsn = 0 } = shell.store?.core ?? {};
          const appended = asked.kind === 'appendWal';
          const reported = { ...(result as AppendResult | null), flushLsn: writeLsn };
          context.answer(asked, (appended ? reported : result) as typeof result);
        }) satisfies typeof context.answer,
      };
      void inner.receive(answering, shell, message);
    }),

  /** Readers get what is on this disk, committed or not. */
  servesUncommitted: (inner) =>
    receiving(inner, (context, shell, message) => {
      const { store } = shell;
      if (message.kind !== 'readWal' || store === null || message.from >= store.core.flushLsn) {
        void inner.receive(context, shell, message);
        return;
      }
      const bytes = store.log.readRecords(message.from, message.bytesMax, store.core.flushLsn);
      context.answer(message, { begin: message.from, bytes, commitLsn: store.core.flushLsn });
    }),

  /** An election does not cut what contradicts the winner's log. */
  keepsLoserRecords: (inner) =>
    receiving(inner, (context, shell, message) => {
      const { store } = shell;
      const cuts = message.kind === 'installTerm' && store !== null;
      if (!cuts || message.start >= store.core.flushLsn || message.term < store.core.term) {
        void inner.receive(context, shell, message);
        return;
      }
      const { term, history } = message;
      store.core = { ...store.core, term, history };
      const { acceptor, configuration, flushLsn, commitLsn } = store.core;
      const { generation } = configuration;
      context.answer(message, { acceptor, generation, term, flushLsn, commitLsn });
    }),
} as const satisfies Record<string, Plant>;

export type PlantName = keyof typeof plants;

function receiving(
  inner: AcceptorBehavior,
  receive: AcceptorBehavior['receive'],
): AcceptorBehavior {
  return { ...inner, receive };
}
