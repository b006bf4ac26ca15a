/**
 * ModelHost: a machine that may have a member's log on its disk, and lose the disk.
 */
import { ensure, Failure } from '../../src/base/failure.ts';
import { type LogStart } from '../../src/consensus/acceptor.ts';
import { type Membership } from '../../src/consensus/change-state.ts';
import { mayBegin, mayDelete, type AcceptorId } from '../../src/consensus/membership.ts';
import { ModelAcceptor, type Answer, type Request } from './model-acceptor.ts';

export class ModelHost {
  readonly name: string;
  acceptor: ModelAcceptor | null = null;

  constructor(name: string) {
    this.name = name;
  }

  handle(request: Request, done: (answer: Answer) => void): void {
    const { acceptor } = this;
    if (acceptor === null) {
      const asked = 'to' in request ? request.to : this.name;
      throw new Failure('acceptor_missing', { acceptor: asked });
    }
    acceptor.handle(request, done);
  }

  /** Begins a member's log, unless the document knows the member; `members` keeps all there ever were. */
  make(
    id: AcceptorId,
    log: LogStart,
    { configuration }: Membership,
    members: Map<AcceptorId, ModelAcceptor>,
  ): void {
    ensure(mayBegin(configuration, id), 'acceptor_lost', { acceptor: id });
    const there = this.acceptor?.state.acceptor;
    if (there === id) return;
    const free = there === undefined || mayDelete(configuration, there);
    ensure(free, 'acceptor_of_another_member', { own: there ?? null, asked: id });
    this.acceptor = new ModelAcceptor(id, log);
    members.set(id, this.acceptor);
  }

  /** Deletes the member's log. One that is not here is deleted. */
  leave(request: Request & { readonly kind: 'leave' }): null {
    if (this.acceptor?.state.acceptor !== request.to) return null;
    this.acceptor.handle(request, () => undefined);
    this.acceptor = null;
    return null;
  }
}
