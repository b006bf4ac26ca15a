/**
 * The real acceptor under observation: every answer it gives and every state it reaches goes past the
 * `Watch` of the member it is.
 */
import { acceptorOn } from '../../src/actors/acceptor/acceptor.ts';
import { type AcceptorMessage, type AcceptorOptions } from '../../src/actors/acceptor/protocol.ts';
import {
  type AnyMessage,
  type Behavior,
  type Context,
  type RestartIntensity,
} from '../../src/runtime/actor.ts';
import { bound } from './bound-context.ts';
import { type Host } from './host.ts';
import { type Ledger } from './ledger.ts';
import { Watch } from './watch.ts';

type AcceptorShell = Parameters<ReturnType<typeof acceptorOn>['receive']>[1];
type AcceptorContext = Context<AcceptorMessage>;

/** Crashes are the simulation's daily bread: nobody gives up over them. */
export const patient: RestartIntensity = {
  maxRestarts: 1_000_000,
  window_ms: 1_000,
  firstDelay_ms: 5,
  maxDelay_ms: 50,
};

export function watchedAcceptor(
  ledger: Ledger,
  host: Host,
): Behavior<AcceptorMessage, AcceptorShell, AcceptorOptions> {
  const { disk, watches } = host;
  const inner = acceptorOn(disk);
  return {
    ...inner,
    intensity: patient,
    start: (context, given) => {
      const { acceptor } = given;
      if (!watches.has(acceptor)) watches.set(acceptor, new Watch(ledger, acceptor));
      // The acceptor starts synchronously.
      const shell = inner.start(context, given) as AcceptorShell;
      if (!host.isDamaged) watches.get(acceptor)!.started(shell.store);
      return shell;
    },
    receive: (context, shell, message) => {
      const watch = watches.get(shell.options.acceptor);
      if (watch === undefined || host.isDamaged) {
        void inner.receive(context, shell, message);
        watch?.hears(shell.store);
        return;
      }
      watch.receives(message);
      const observed = observe(context, (asked, result) => {
        watch.settled(shell.store);
        watch.answers(asked, result);
      });
      void inner.receive(observed, shell, message);
      watch.settled(shell.store);
    },
  };
}

/** The acceptor's context, whose answers pass by `sees` first. */
function observe(
  context: AcceptorContext,
  sees: (asked: AcceptorMessage, result: unknown) => void,
): AcceptorContext {
  return {
    ...bound(context),
    answer: (asked, result) => {
      sees(asked as AnyMessage as AcceptorMessage, result);
      context.answer(asked, result);
    },
  };
}
