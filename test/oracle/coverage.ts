/**
 * Coverage: which kinds of records the built-in managers of a major can write, which of them were seen,
 * and why the others cannot be.
 */
import { recordName, resourceManagers } from '../../src/postgres/resource-managers.ts';
import { type Major } from '../../src/postgres/major.ts';
import { type KindCount } from './page-check.ts';

export interface Coverage {
  readonly seen: readonly string[];
  /** Kinds that no workload reached, though Postgres may write them. */
  readonly unseen: readonly string[];
  /** Kinds that cannot come, with the reason. */
  readonly excused: Readonly<Record<string, string>>;
}

/** Kinds that no server of these majors writes, or that are refused. */
const excuses: Readonly<Record<string, string>> = {
  'XLOG NOOP': 'no code writes it',
  'Heap HOT_UPDATE+INIT': 'a version on its own page is never the first there',
  'Tablespace CREATE': 'refused by design: it lies outside the data directory',
  'Tablespace DROP': 'refused by design: it lies outside the data directory',
};
/** Kinds that began, or ended, with a major. */
const firstMajor: Readonly<Record<string, Major>> = { 'XLOG CHECKPOINT_REDO': 17 };

/** Every kind of record the major's built-in managers know. */
export function kindsOf(major: Major): readonly string[] {
  const infos = Array.from({ length: 16 }, (_, high) => high << 4);
  const names = Object.values(resourceManagers).flatMap((rmgr) =>
    infos.map((info) => recordName(rmgr, info, major)),
  );
  return [...new Set(names)].filter(
    (name) => !name.includes('UNKNOWN') && (firstMajor[name] ?? 0) <= major,
  );
}

export function coverageOf(major: Major, kinds: ReadonlyMap<string, KindCount>): Coverage {
  const all = kindsOf(major);
  const seen = all.filter((name) => kinds.has(name));
  const left = all.filter((name) => !kinds.has(name));
  const excused = left.flatMap((name) => {
    const why = excuses[name];
    return why === undefined ? [] : [[name, why] as const];
  });
  return {
    seen,
    unseen: left.filter((name) => excuses[name] === undefined),
    excused: Object.fromEntries(excused),
  };
}
