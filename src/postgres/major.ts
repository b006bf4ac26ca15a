/**
 * Major: the Postgres major versions whose formats we know. What differs between them is a table
 * with one line per major, next to the code that reads the format.
 */
import { Failure } from '../base/failure.ts';

export const majors = [15, 16, 17, 18] as const;
export type Major = (typeof majors)[number];

/** Fails with `major_unsupported` unless the major is one of `majors`. */
export function ensureMajor(major: number): Major {
  for (const known of majors) if (known === major) return known;
  throw new Failure('major_unsupported', { major });
}

/** `CATALOG_VERSION_NO`: never changes within a released major. */
const catalogVersions: Readonly<Record<Major, number>> = {
  15: 202_209_061,
  16: 202_307_071,
  17: 202_406_281,
  18: 202_506_291,
};

export function catalogVersion(major: Major): number {
  return catalogVersions[major];
}
