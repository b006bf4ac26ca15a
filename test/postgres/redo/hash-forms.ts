/**
 * HashForms: which of its forms a record of a hash index has, in words; redo treats each in a way of its
 * own.
 */
import { type Field } from '../../../src/base/struct.ts';
import { BlockRecord } from '../../../src/postgres/page-value.ts';
import {
  HashAddOverflow,
  HashDelete,
  HashMove,
  HashSplitAllocate,
  HashSqueeze,
} from '../../../src/postgres/redo/hash.ts';
import { type RedoSample } from './oracle-replay.ts';

/** Every form that a server writes, as `formOf` names them. */
export const hashForms: readonly string[] = [
  'add bitmapFound=0',
  'add bitmapFound=1',
  'allocate flags=0',
  'allocate flags=2',
  'allocate flags=3',
  'delete clearDeadMarking=0 isPrimary=0',
  'delete clearDeadMarking=0 isPrimary=1',
  'delete clearDeadMarking=1 isPrimary=0',
  'delete clearDeadMarking=1 isPrimary=1',
  'move targetIsPrimary=0',
  'move targetIsPrimary=1',
  'squeeze some targetIsPrimary=0 targetIsPrevious=0',
  'squeeze some targetIsPrimary=0 targetIsPrevious=1',
  'squeeze some targetIsPrimary=1 targetIsPrevious=0',
  'squeeze some targetIsPrimary=1 targetIsPrevious=1',
  'squeeze none targetIsPrimary=0 targetIsPrevious=0',
  'squeeze none targetIsPrimary=0 targetIsPrevious=1',
  'squeeze none targetIsPrimary=1 targetIsPrevious=0',
  'squeeze none targetIsPrimary=1 targetIsPrevious=1',
];

/** What kind of record it is and how it differs from others of its kind; '' if they are alike. */
export function formOf({ name, value, end }: RedoSample): string {
  const record = new BlockRecord();
  record.moveTo(new DataView(value.buffer, value.byteOffset, value.length), 0, end);
  const { view, main } = record;
  switch (name.slice(0, 'Hash 00'.length)) {
    case 'Hash 30':
      return `add ${fields(record, HashAddOverflow, 'bitmapFound')}`;
    case 'Hash 40':
      return `allocate ${fields(record, HashSplitAllocate, 'flags')}`;
    case 'Hash 70':
      return `move ${fields(record, HashMove, 'targetIsPrimary')}`;
    case 'Hash 80': {
      const tuples = HashSqueeze.tupleCount.get(view, main) > 0 ? 'some' : 'none';
      const flags = fields(record, HashSqueeze, 'targetIsPrimary', 'targetIsPrevious');
      return `squeeze ${tuples} ${flags}`;
    }
    case 'Hash 90':
      return `delete ${fields(record, HashDelete, 'clearDeadMarking', 'isPrimary')}`;
    default:
      return '';
  }
}

/** Fields of a record's main data, with their values. */
function fields<Name extends string>(
  { view, main }: BlockRecord,
  struct: Readonly<Record<Name, Field<number>>>,
  ...names: readonly Name[]
): string {
  return names.map((name) => `${name}=${struct[name].get(view, main)}`).join(' ');
}
