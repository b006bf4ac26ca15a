/**
 * ModelDriver: the shell of a change of members: asks hosts, swaps the document, and can die at any
 * step.
 */
import { Failure } from '../../src/base/failure.ts';
import { type LogStart } from '../../src/consensus/acceptor.ts';
import {
  refused,
  type ChangeDecision,
  type ChangeEffect,
  type ChangeEvent,
  type ChangeOutcome,
  type ChangePlan,
  type ChangeState,
} from '../../src/consensus/change-state.ts';
import { beginChange, resumeChange, stepChange } from '../../src/consensus/change.ts';
import { hostOf, type AcceptorId } from '../../src/consensus/membership.ts';
import { type ConfigureResult } from '../../src/consensus/messages.ts';
import { ModelProposer } from './model-proposer.ts';
import { type World } from './world.ts';

export class ModelDriver {
  readonly name: string;
  readonly world: World;
  /** Elected when nobody else carries the log. */
  readonly proposer: ModelProposer;
  state: ChangeState | null = null;
  readonly outcomes: ChangeOutcome[] = [];
  /** What becomes of requests that nobody answers. */
  #timeouts = new Map<number, () => void>();
  #asked = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.proposer = new ModelProposer(world, `${name}-proposer`);
  }

  begin(plan: ChangePlan, patience: number): void {
    this.crash();
    this.#perform(beginChange(this.world.document, plan, patience));
  }

  resume(patience: number): void {
    this.crash();
    this.#perform(resumeChange(this.world.document, patience));
  }

  abort(): void {
    this.#on({ kind: 'abort' });
  }

  /** Forgets everything. */
  crash(): void {
    this.state = null;
    this.#timeouts.clear();
    this.proposer.crash();
  }

  /** A request, or the pause, has lasted long enough: whether there was one. */
  timeOut(pick: (count: number) => number): boolean {
    const under = [...this.#timeouts.keys()];
    if (under.length === 0) return false;
    const key = under[pick(under.length)]!;
    const expire = this.#timeouts.get(key)!;
    this.#timeouts.delete(key);
    expire();
    return true;
  }

  #on(event: ChangeEvent): void {
    if (this.state !== null) this.#perform(stepChange(this.state, event));
  }

  #perform({ state, effects }: ChangeDecision): void {
    this.state = state;
    for (const effect of effects) this.#performEffect(effect);
  }

  #performEffect(effect: ChangeEffect): void {
    switch (effect.kind) {
      case 'makeMember':
        this.#make(effect.id, effect.from);
        return;
      case 'swap': {
        const { from, to } = effect;
        this.#request('document', () => this.world.swap(from, to), {
          answered: (swapped) => {
            this.#on(swapped === true ? { kind: 'swapped', to } : { kind: 'overtaken' });
          },
          silent: () => {
            this.#performEffect(effect);
          },
        });
        return;
      }
      case 'configure': {
        const { kind, to: id, ...configure } = effect;
        const request = { kind, to: id, ...configure };
        this.#askHost(id, request, {
          answered: (result) => {
            this.#on({ kind: 'configured', result: result as ConfigureResult });
          },
          silent: (failure) => {
            this.#on(failure === null ? { kind: 'silent', id } : refused(id, failure));
          },
        });
        return;
      }
      case 'carry': {
        const { proposers } = this.world;
        const reigns = proposers.filter(({ state }) => state !== null);
        const carrier = reigns[this.#asked % reigns.length] ?? proposers[0]!;
        const { configuration } = effect;
        this.#request(carrier.name, () => carrier.reconfigure(configuration), {
          answered: (reigns) => {
            this.#on({ kind: reigns === true ? 'carrierLeads' : 'carrierAbsent' });
          },
          silent: () => {
            this.#on({ kind: 'carrierSilent' });
          },
        });
        return;
      }
      case 'elect':
        this.proposer.onSettled = (won) => {
          this.#on({ kind: won ? 'elected' : 'notElected' });
        };
        this.proposer.elect(effect.configuration);
        return;
      case 'release':
        this.proposer.onSettled = null;
        this.proposer.release();
        return;
      case 'leave': {
        const { id, configuration } = effect;
        const host = this.world.host(hostOf(id));
        const leave = { kind: 'leave', to: id, configuration } as const;
        this.#request(host.name, () => host.leave(leave), {
          answered: (failure) => {
            this.#on({ kind: failure instanceof Failure ? 'notLeft' : 'left', id });
          },
          silent: () => {
            this.#on({ kind: 'notLeft', id });
          },
        });
        return;
      }
      case 'wait':
        this.#later(() => {
          this.#on({ kind: 'waited' });
        });
        return;
      case 'ended':
        this.outcomes.push(effect.outcome);
        this.state = null;
        return;
    }
  }

  /** The joiner's host asks a donor, and then looks into the document. */
  #make(id: AcceptorId, from: AcceptorId): void {
    const silent = (): void => {
      this.#on({ kind: 'notMade', id });
    };
    this.#askHost(
      from,
      { kind: 'describe' },
      {
        silent,
        answered: (log) => {
          const host = this.world.host(hostOf(id));
          const make = (): void => {
            host.make(id, log as LogStart, this.world.document, this.world.members);
          };
          this.#request(host.name, make, {
            silent,
            answered: (failure) => {
              this.#on({ kind: failure instanceof Failure ? 'notMade' : 'made', id });
            },
          });
        },
      },
    );
  }

  #askHost(
    id: AcceptorId,
    request: Parameters<World['ask']>[2],
    outcome: {
      readonly answered: (answer: unknown) => void;
      readonly silent: (failure: Failure | null) => void;
    },
  ): void {
    const settle = this.#later(() => {
      outcome.silent(null);
    });
    this.world.ask(this.name, hostOf(id), request, (answer) => {
      if (!settle()) return;
      if (answer instanceof Failure) outcome.silent(answer);
      else outcome.answered(answer);
    });
  }

  /** `action` happens at `where`, and its result, or failure, comes back: either may be lost. */
  #request(
    where: string,
    action: () => unknown,
    outcome: { readonly answered: (result: unknown) => void; readonly silent: () => void },
  ): void {
    const settle = this.#later(outcome.silent);
    this.world.network.send(`${this.name}>${where}`, () => {
      const result = attempt(action);
      this.world.network.send(`${where}>${this.name}`, () => {
        if (settle()) outcome.answered(result);
      });
    });
  }

  /** Has `expire` run unless the function returned is called first; that tells whether it was. */
  #later(expire: () => void): () => boolean {
    this.#asked += 1;
    const key = this.#asked;
    this.#timeouts.set(key, expire);
    return () => this.#timeouts.delete(key);
  }
}

function attempt(action: () => unknown): unknown {
  try {
    return action();
  } catch (failure) {
    if (failure instanceof Failure) return failure;
    throw failure;
  }
}
