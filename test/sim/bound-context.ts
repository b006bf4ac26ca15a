/**
 * A context as a plain record, so that parts of it can be replaced.
 */
import { type AnyMessage, type Context } from '../../src/runtime/actor.ts';

export function bound<Message extends AnyMessage>(context: Context<Message>): Context<Message> {
  return {
    self: context.self,
    clock: context.clock,
    random: context.random,
    log: context.log,
    ref: (path) => context.ref(path),
    tell: (to, message) => {
      context.tell(to, message);
    },
    ask: (to, message, limits) => context.ask(to, message, limits),
    answer: (asked, result) => {
      context.answer(asked, result);
    },
    refuse: (asked, failure) => {
      context.refuse(asked, failure);
    },
    after: (delay_ms, message) => context.after(delay_ms, message),
    onEnd: (release) => {
      context.onEnd(release);
    },
    onEndFirst: (release) => {
      context.onEndFirst(release);
    },
    spawn: (child) => context.spawn(child),
    stop: (child) => context.stop(child),
  };
}
