/**
 * World: hosts with acceptors, proposers that fight, drivers that change the members, and the project
 * document, under a network that the test or a seed drives. The checks are the ledger's.
 */
import { strict as assert } from 'node:assert';
import { Failure } from '../../src/base/failure.ts';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import { type Membership } from '../../src/consensus/change-state.ts';
import { hasQuorum, hostOf, type AcceptorId } from '../../src/consensus/membership.ts';
import { Ledger } from './ledger.ts';
import { ModelAcceptor, start, type Answer, type Request } from './model-acceptor.ts';
import { ModelDriver } from './model-driver.ts';
import { ModelHost } from './model-host.ts';
import { ModelProposer } from './model-proposer.ts';
import { Network } from './network.ts';

export class World {
  readonly network = new Network();
  readonly ledger = new Ledger();
  readonly hosts: readonly ModelHost[];
  /** Everybody who ever was a member, as they are now or last were. */
  readonly members = new Map<AcceptorId, ModelAcceptor>();
  /** Of computes. */
  readonly proposers: readonly ModelProposer[];
  readonly drivers: readonly ModelDriver[];
  document: Membership;
  /** What the document ever said: somebody may have read it long ago. */
  readonly documents: Membership[];

  constructor(members: readonly AcceptorId[], spares: readonly string[] = []) {
    this.document = {
      configuration: { generation: 1, members, newMembers: null },
      leaving: [],
    };
    this.documents = [this.document];
    this.hosts = [...members, ...spares].map((name) => new ModelHost(name));
    for (const id of members) {
      const acceptor = new ModelAcceptor(id);
      this.host(id).acceptor = acceptor;
      this.members.set(id, acceptor);
    }
    this.proposers = ['p', 'q'].map((name) => new ModelProposer(this, name));
    this.drivers = ['d', 'e'].map((name) => new ModelDriver(this, name));
    this.ledger.follows(this.document.configuration);
  }

  get commitLsn(): Lsn {
    return lsn(start + this.ledger.committed.length);
  }

  /** Acceptors that have not lost their disk. */
  get acceptors(): readonly ModelAcceptor[] {
    return this.hosts.flatMap(({ acceptor }) => (acceptor === null ? [] : [acceptor]));
  }

  host(name: string): ModelHost {
    return this.hosts.find((each) => each.name === name)!;
  }

  acceptor(id: AcceptorId): ModelAcceptor {
    return this.members.get(id)!;
  }

  /** Asks whoever lives on the host; the answer, or refusal, comes back if it is not lost. */
  ask(from: string, to: string, request: Request, done: (answer: Answer | Failure) => void): void {
    const answer = (result: Answer | Failure): void => {
      this.network.send(`${to}>${from}`, () => {
        done(result);
      });
    };
    this.network.send(`${from}>${to}`, () => {
      const host = this.host(to);
      const before = host.acceptor?.state ?? null;
      try {
        host.handle(request, answer);
      } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        assert.notEqual(failure.kind, 'corrupt', failure.message);
        answer(failure);
      }
      if (before !== null) this.ledger.grows(before, host.acceptor!.state);
      if (host.acceptor !== null) this.ledger.stands(host.acceptor);
    });
  }

  /** Compare-and-swap of the document. */
  swap(from: Membership, to: Membership): boolean {
    const found = JSON.stringify(this.document);
    if (found !== JSON.stringify(from)) return found === JSON.stringify(to);
    this.document = to;
    this.documents.push(to);
    this.ledger.follows(to.configuration);
    return true;
  }

  /** Whether a majority of every set would still have its disk. */
  canLose(name: string): boolean {
    const has = (id: AcceptorId): boolean =>
      hostOf(id) !== name && this.host(hostOf(id)).acceptor?.state.acceptor === id;
    return hasQuorum(this.document.configuration, has);
  }

  /** Delivers and syncs, in order, until nothing is on the way. */
  settle(): void {
    this.network.settle(() => {
      const unsynced = this.acceptors.filter((each) => each.unsynced.length > 0);
      for (const acceptor of unsynced) acceptor.sync();
      return unsynced.length > 0;
    });
  }
}

/** Delivers the next request from `from` to an acceptor, and its answer if that comes at once. */
export function exchange(world: World, from: ModelProposer, id: AcceptorId): boolean {
  const [to, back] = [`${from.name}>${hostOf(id)}`, `${hostOf(id)}>${from.name}`];
  const request = world.network.packets.find(({ channel }) => channel === to);
  if (request !== undefined) world.network.deliver(request);
  const answered = world.network.flush(back);
  return request !== undefined || answered;
}

/** Delivers everything between a proposer and one acceptor, syncs included, until nothing is left. */
export function converse(world: World, proposer: ModelProposer, id: AcceptorId): void {
  for (;;) {
    if (exchange(world, proposer, id)) continue;
    const acceptor = world.acceptor(id);
    if (acceptor.unsynced.length === 0) return;
    acceptor.sync();
  }
}
