/**
 * What the HTTP interface understands. Path: `api/host`.
 */
import { type Ask } from '../../runtime/actor.ts';

/** Where it listens: `http://127.0.0.1:7432`. */
export interface DescribeApi extends Ask<'describeApi', { readonly url: string }> {
  readonly kind: 'describeApi';
}

export type ApiMessage = DescribeApi;
