/**
 * MainData: reads a record's main data field by field, never past its end.
 *
 * A cursor reused for every record. Whatever is read too far fails with `wal_record_malformed`.
 */
import { type Lsn } from '../../base/lsn.ts';
import { i64, lsnField, u16, u32, u64, u8, type FieldType } from '../../base/struct.ts';
import { WalRecord } from '../wal-record.ts';
import { malformedRecord } from './record-failure.ts';

export class MainData {
  #record = new WalRecord();
  #at = 0;
  #end = 0;

  open(record: WalRecord): this {
    this.#record = record;
    this.#at = record.mainOffset;
    this.#end = record.mainOffset + record.mainSize;
    return this;
  }

  u8(): number {
    return this.#read(u8);
  }

  u16(): number {
    return this.#read(u16);
  }

  u32(): number {
    return this.#read(u32);
  }

  u64(): number {
    return this.#read(u64);
  }

  i64(): number {
    return this.#read(i64);
  }

  lsn(): Lsn {
    return this.#read(lsnField);
  }

  /** Skips `size` bytes and returns where they begin in the record's `bytes`. */
  skip(size: number): number {
    const at = this.#at;
    if (size < 0 || at + size > this.#end) throw malformedRecord(this.#record);
    this.#at = at + size;
    return at;
  }

  /** Skips a `count`, then as many items of `size` bytes; `count` stays readable at the result. */
  skipCounted(size: number): number {
    const at = this.skip(4);
    this.skip(this.#record.view.getInt32(at, true) * size);
    return at;
  }

  /** `size` bytes of the record itself, valid as long as it is. */
  bytes(size: number): Uint8Array {
    const at = this.skip(size);
    return this.#record.bytes.subarray(at, at + size);
  }

  /** A C string; its terminating zero is skipped too. */
  skipText(): void {
    while (this.u8() !== 0);
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#end - this.#at;
  }

  #read<T>(type: FieldType<T>): T {
    const at = this.skip(type.size);
    return type.read(this.#record.view, at);
  }
}
