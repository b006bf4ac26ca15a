/**
 * MemberChange: drives a change of a branch's members: performs what src/consensus/change.ts decides, each
 * effect one request to a host, an acceptor or a proposer, or one swap of the project.
 *
 * Nothing of it is remembered here: where it stands is in the project, for whoever comes after.
 */
import { Failure } from '../../base/failure.ts';
import {
  refused,
  type ChangeDecision,
  type ChangeEffect,
  type ChangeEvent,
  type ChangeOutcome,
  type Membership,
} from '../../consensus/change-state.ts';
import { stepChange } from '../../consensus/change.ts';
import { hostOf, type Configuration } from '../../consensus/membership.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { pathOn } from '../../runtime/peers/peer-path.ts';
import { type AcceptorMessage } from '../acceptor/protocol.ts';
import { type ProposerMessage } from '../proposer/protocol.ts';
import { InterimProposer } from './interim-proposer.ts';
import { type OtherHosts } from './other-hosts.ts';
import { type ProjectStore } from './project-store.ts';
import { changeBranch, findBranch, type Branch } from './project.ts';
import { type ControlMessage } from './protocol.ts';

export interface MemberChangeOptions {
  readonly context: Context<ControlMessage>;
  /** This host. */
  readonly host: string;
  /** All hosts. */
  readonly hosts: readonly string[];
  readonly pause: () => Promise<void>;
  readonly projects: ProjectStore;
  readonly others: OtherHosts;
  readonly branch: Branch;
  readonly identity: TimelineIdentity;
}

const limits = { timeout_ms: 10_000 };
const swapTries_max = 30;

export class MemberChange {
  readonly #options: MemberChangeOptions;
  readonly #events: ChangeEvent[] = [];
  #wake: () => void = () => undefined;
  #failure: { readonly error: unknown } | null = null;
  /** Brings the log to new members when no compute runs that would. */
  readonly #carrier: InterimProposer;

  constructor(options: MemberChangeOptions) {
    const { context, identity, hosts } = options;
    this.#options = options;
    this.#carrier = new InterimProposer(context, identity, hosts);
  }

  /** To its end. Fails when an effect fails otherwise than the change knows: then another may resume it. */
  async run(first: ChangeDecision): Promise<ChangeOutcome> {
    let { state, effects } = first;
    for (;;) {
      for (const effect of effects) {
        if (effect.kind === 'ended') {
          this.#announce(); // a host that made a joiner for nothing runs whom it ran before
          return effect.outcome;
        }
        void this.#perform(effect).then(
          (event) => {
            if (event !== null) this.#happens(event);
          },
          (error: unknown) => {
            this.#fails(error);
          },
        );
      }
      ({ state, effects } = stepChange(state, await this.#nextEvent()));
    }
  }

  #happens(event: ChangeEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  /** The driver cannot go on: it has ended, or what it read makes no sense. */
  #fails(error: unknown): void {
    this.#failure = { error };
    this.#wake();
  }

  async #nextEvent(): Promise<ChangeEvent> {
    while (this.#events.length === 0 && this.#failure === null)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure !== null) throw this.#failure.error;
    return this.#events.shift()!;
  }

  async #perform(effect: ChangeEffect): Promise<ChangeEvent | null> {
    switch (effect.kind) {
      case 'makeMember':
        return this.#make(effect.id, effect.from);
      case 'swap':
        return this.#swap(effect.from, effect.to);
      case 'configure': {
        const { to: id, configuration, term } = effect;
        const acceptor = this.#acceptor(id);
        const ask = { kind: 'setConfiguration', to: id, configuration, term } as const;
        return attempt(
          this.#options.context.ask(acceptor, ask, limits),
          (result) => ({ kind: 'configured', result }),
          (failure) => refused(id, failure),
        );
      }
      case 'carry':
        return this.#carry(effect.configuration);
      case 'elect':
        return this.#elect(effect.configuration);
      case 'release':
        await this.#carrier.release();
        return null;
      case 'leave':
        return this.#leave(effect.id);
      case 'wait':
        await this.#options.pause();
        return { kind: 'waited' };
      case 'ended':
        return null; // `run` has returned
    }
  }

  /** The host of a joiner begins its log, as an acceptor that has one tells. */
  #make(id: string, from: string): Promise<ChangeEvent> {
    const { context, branch } = this.#options;
    const make = { kind: 'makeMember', branch: branch.name, id, from } as const;
    return attempt(
      context.ask(this.#control(id), make, limits),
      () => ({ kind: 'made', id }),
      () => ({ kind: 'notMade', id }),
    );
  }

  /** Done already is done; anything else in its place is another's change. */
  async #swap(from: Membership, to: Membership): Promise<ChangeEvent> {
    for (let tries = 0; tries < swapTries_max; tries += 1) {
      try {
        return (await this.#swaps(from, to)) ? { kind: 'swapped', to } : { kind: 'overtaken' };
      } catch (failure) {
        if (!(failure instanceof Failure) || failure.kind !== 'unavailable') throw failure;
        await this.#options.pause(); // it may have been done: the next look tells
      }
    }
    return { kind: 'overtaken' }; // for all that is known
  }

  /** Whether the project says `to` now. */
  async #swaps(from: Membership, to: Membership): Promise<boolean> {
    const { projects, branch } = this.#options;
    await projects.refresh();
    const project = await projects.change((now) => {
      const found = membershipOf(findBranch(now, branch.name));
      return isSame(found, from) ? changeBranch(now, branch.name, to) : now;
    });
    this.#announce();
    return isSame(membershipOf(findBranch(project, branch.name)), to);
  }

  /** This host may keep a member too. */
  #announce(): void {
    const { context, others } = this.#options;
    others.announce();
    context.tell(context.self, { kind: 'projectChanged' });
  }

  async #carry(configuration: Configuration): Promise<ChangeEvent> {
    const { context, projects, branch, host: self } = this.#options;
    const { running, host } = findBranch(projects.project, branch.name);
    if (!running || host === null) return { kind: 'carrierAbsent' };
    const path = pathOn(host, self, `proposer/${branch.timeline}`);
    const proposer = context.ref<ProposerMessage>(path);
    return attempt(
      context.ask(proposer, { kind: 'reconfigure', configuration }, limits),
      () => ({ kind: 'carrierLeads' }),
      ({ code }) => ({ kind: absent.has(code) ? 'carrierAbsent' : 'carrierSilent' }),
    );
  }

  #elect(configuration: Configuration): Promise<ChangeEvent> {
    return attempt(
      this.#carrier.elect(configuration),
      () => ({ kind: 'elected' }),
      () => ({ kind: 'notElected' }),
    );
  }

  #leave(id: string): Promise<ChangeEvent> {
    const { context, branch } = this.#options;
    const leave = { kind: 'dropMember', branch: branch.name, id } as const;
    return attempt(
      context.ask(this.#control(id), leave, limits),
      () => ({ kind: 'left', id }),
      () => ({ kind: 'notLeft', id }),
    );
  }

  #acceptor(id: string): ActorRef<AcceptorMessage> {
    const { context, host, branch } = this.#options;
    return context.ref(pathOn(hostOf(id), host, `acceptor/${branch.timeline}`));
  }

  #control(id: string): ActorRef<ControlMessage> {
    return this.#options.others.control(hostOf(id));
  }
}

const absent: ReadonlySet<string> = new Set(['proposer_not_leading', 'actor_missing']);

function membershipOf({ configuration, leaving }: Branch): Membership {
  return { configuration, leaving };
}

function isSame(a: Membership, b: Membership): boolean {
  return (
    JSON.stringify([a.configuration, a.leaving]) === JSON.stringify([b.configuration, b.leaving])
  );
}

/** The event an answer or a refusal stands for. */
async function attempt<T>(
  asked: Promise<T>,
  onResult: (result: T) => ChangeEvent,
  onRefusal: (failure: Failure) => ChangeEvent,
): Promise<ChangeEvent> {
  try {
    return onResult(await asked);
  } catch (failure) {
    if (failure instanceof Failure) return onRefusal(failure);
    throw failure;
  }
}
