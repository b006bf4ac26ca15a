/**
 * ControlPort: calls and notices over a MessagePort, both ways. It carries what rings cannot: shared
 * memory and ports in the options of a spawned actor. Rare traffic; everything is structured clone.
 */
import { MessagePort, type Transferable } from 'node:worker_threads';
import {
  failureFromData,
  failureToData,
  type Failure,
  type FailureData,
} from '../../base/failure.ts';
import { assert } from '../../base/assert.ts';
import { asFailure } from './kernel.ts';

/** A worker as seen from main, or the parent port as seen from a worker. */
export interface PortLike {
  postMessage(value: unknown, transfer?: readonly Transferable[]): void;
  on(event: 'message', listener: (value: ControlMessage) => void): unknown;
}

export type Handlers = Readonly<Record<string, (...args: never[]) => unknown>>;

type ControlMessage =
  | {
      readonly type: 'call';
      readonly id: number;
      readonly method: string;
      readonly args: unknown[];
    }
  | { readonly type: 'notice'; readonly method: string; readonly args: unknown[] }
  | {
      readonly type: 'result';
      readonly id: number;
      readonly result: unknown;
      readonly failure: FailureData | null;
    };

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: Failure) => void;
}

export class ControlPort {
  readonly #port: PortLike;
  #handlers: Handlers = {};
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed: Failure | null = null;

  constructor(port: PortLike) {
    this.#port = port;
  }

  /** Begins to receive. */
  serve(handlers: Handlers): void {
    this.#handlers = handlers;
    this.#port.on('message', this.#onMessage);
  }

  call(method: string, ...args: unknown[]): Promise<unknown> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      try {
        this.#port.postMessage({ type: 'call', id, method, args }, portsIn(args));
      } catch (error) {
        this.#pending.delete(id);
        reject(asFailure(error)); // options that cannot be cloned
      }
    });
  }

  notify(method: string, ...args: unknown[]): void {
    if (this.#closed === null) this.#port.postMessage({ type: 'notice', method, args });
  }

  /** Nobody is at the other end any more. */
  close(failure: Failure): void {
    this.#closed = failure;
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
  }

  readonly #onMessage = (message: ControlMessage): void => {
    if (this.#closed !== null) return;
    if (message.type === 'result') this.#onResult(message);
    else if (message.type === 'call') void this.#onCall(message);
    else void this.#invoke(message.method, message.args);
  };

  #onResult({ id, result, failure }: Extract<ControlMessage, { type: 'result' }>): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (failure === null) pending?.resolve(result);
    else pending?.reject(failureFromData(failure));
  }

  async #onCall({ id, method, args }: Extract<ControlMessage, { type: 'call' }>): Promise<void> {
    let reply: ControlMessage;
    try {
      const result = await this.#invoke(method, args);
      reply = { type: 'result', id, result, failure: null };
    } catch (error) {
      reply = { type: 'result', id, result: null, failure: failureToData(asFailure(error)) };
    }
    if (!this.#isClosed()) this.#port.postMessage(reply);
  }

  #invoke(method: string, args: readonly unknown[]): unknown {
    const handler = this.#handlers[method];
    assert(handler !== undefined, `the other end handles ${method}`);
    return handler(...(args as never[]));
  }

  #isClosed(): boolean {
    return this.#closed !== null;
  }
}

/** Message ports inside plain data: they must be transferred. */
export function portsIn(value: unknown): MessagePort[] {
  if (value instanceof MessagePort) return [value];
  if (Array.isArray(value)) return value.flatMap(portsIn);
  if (typeof value !== 'object' || value === null) return [];
  if (Object.getPrototypeOf(value) !== Object.prototype) return [];
  return Object.values(value).flatMap(portsIn);
}
