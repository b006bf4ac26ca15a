/**
 * Manifest: everything that makes a set of files a timeline: its layers, ancestor, LSNs and the
 * generation of the page server that owns it. The one mutable object of a timeline in the bucket,
 * changed by compare-and-swap, and only as the rules below allow.
 *
 * ```
 * STEMMA-MANIFEST <version> <bytes of the JSON> <CRC-32C of the JSON, 8 hex digits>\n
 * JSON, UTF-8; LSNs as X/X; of a layer, what its name does not say
 * ```
 */
import { assert } from '../base/assert.ts';
import { crc32c } from '../base/crc32c.ts';
import { ensure, Failure } from '../base/failure.ts';
import { formatLsn, parseLsn, type Lsn } from '../base/lsn.ts';
import { parseLayerName, type LayerDescription } from './layer-description.ts';

interface ManifestAncestor {
  /** 32 hex digits. */
  readonly timeline: string;
  readonly lsn: Lsn;
}

export interface Manifest {
  /** 32 hex digits. */
  readonly timeline: string;
  /** The Postgres major. */
  readonly major: number;
  /** `ControlFileData.system_identifier`, in decimal. */
  readonly systemIdentifier: string;
  readonly ancestor: ManifestAncestor | null;
  /** Number of the owner among page servers. */
  readonly generation: number;
  /** Everything up to here is in layers: ingest goes on from here. */
  readonly diskConsistentLsn: Lsn;
  /** Start of the last record that ends at or before `diskConsistentLsn`: what `xl_prev` must name. */
  readonly lastRecordStart: Lsn;
  /** Milliseconds since the Unix epoch. */
  readonly created_ms: number;
  readonly layers: readonly LayerDescription[];
}

const formatVersion = 1;
const headPattern = /^STEMMA-MANIFEST (\d+) (\d+) ([0-9a-f]{8})\n/;
/** Longer than any head line. */
const headSizeMax = 64;

export function encodeManifest(manifest: Manifest): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(toJson(manifest), null, 1));
  const head = new TextEncoder().encode(headOf(body));
  const encoded = new Uint8Array(head.length + body.length);
  encoded.set(head);
  encoded.set(body, head.length);
  return encoded;
}

/** Fails, `corrupt`, with `manifest_…` when the bytes are not what `encodeManifest` made. */
export function decodeManifest(encoded: Uint8Array): Manifest {
  const start = new TextDecoder('latin1').decode(encoded.subarray(0, headSizeMax));
  const match = headPattern.exec(start);
  ensure(match !== null, 'manifest_unreadable', { size: encoded.length });
  const version = Number(match[1]);
  ensure(version === formatVersion, 'manifest_version_unknown', { version });
  const body = encoded.subarray(match[0].length);
  const expected = headOf(body);
  ensure(match[0] === expected, 'manifest_checksum_mismatch', {
    expected: expected.trimEnd(),
    actual: match[0].trimEnd(),
  });
  return fromJson(parseJson(body));
}

/** A rule that every swap keeps. `committed` is what is there, `proposed` what shall be. */
type ManifestRule = (committed: Manifest, proposed: Manifest) => boolean;

const manifestRules = {
  identityStays,
  generationNeverGoesBack,
  diskConsistentLsnNeverGoesBack,
  lastRecordStartsBeforeDiskConsistentLsn,
  layerNamesAreUnique,
  keptLayersStayAsTheyWere,
  newLayersAreOfTheProposedGeneration,
  layersEndByDiskConsistentLsn,
} as const satisfies Readonly<Record<string, ManifestRule>>;

/** Names of the rules that a swap from `committed` to `proposed` would break. */
export function brokenRules(committed: Manifest, proposed: Manifest): string[] {
  const rules = Object.entries<ManifestRule>(manifestRules);
  return rules.filter(([, holds]) => !holds(committed, proposed)).map(([name]) => name);
}

/** Checked before every swap: breaking a rule is a bug of ours. */
export function assertSuccessor(committed: Manifest, proposed: Manifest): void {
  const broken = brokenRules(committed, proposed);
  assert(broken.length === 0, `a manifest follows the one before it: ${broken.join(', ')}`);
}

function identityStays(committed: Manifest, proposed: Manifest): boolean {
  return (
    committed.timeline === proposed.timeline &&
    committed.major === proposed.major &&
    committed.systemIdentifier === proposed.systemIdentifier &&
    committed.ancestor?.timeline === proposed.ancestor?.timeline &&
    committed.ancestor?.lsn === proposed.ancestor?.lsn &&
    committed.created_ms === proposed.created_ms
  );
}

function generationNeverGoesBack(committed: Manifest, proposed: Manifest): boolean {
  return proposed.generation >= committed.generation;
}

function diskConsistentLsnNeverGoesBack(committed: Manifest, proposed: Manifest): boolean {
  return proposed.diskConsistentLsn >= committed.diskConsistentLsn;
}

function lastRecordStartsBeforeDiskConsistentLsn(_: Manifest, proposed: Manifest): boolean {
  return proposed.lastRecordStart <= proposed.diskConsistentLsn;
}

function layerNamesAreUnique(_: Manifest, { layers }: Manifest): boolean {
  return new Set(layers.map((layer) => layer.name)).size === layers.length;
}

function keptLayersStayAsTheyWere(committed: Manifest, proposed: Manifest): boolean {
  const before = new Map(committed.layers.map((layer) => [layer.name, layer]));
  return proposed.layers.every(({ name, size, checksum, level }) => {
    const old = before.get(name);
    if (old === undefined) return true;
    return old.size === size && old.checksum === checksum && old.level === level;
  });
}

function newLayersAreOfTheProposedGeneration(committed: Manifest, proposed: Manifest): boolean {
  const before = new Set(committed.layers.map((layer) => layer.name));
  const added = proposed.layers.filter((layer) => !before.has(layer.name));
  return added.every((layer) => layer.generation === proposed.generation);
}

function layersEndByDiskConsistentLsn(_: Manifest, proposed: Manifest): boolean {
  return proposed.layers.every((layer) => layer.end - 1 <= proposed.diskConsistentLsn);
}

/** A manifest as JSON has it: LSNs as text, layers without what their names say. */
interface ManifestJson {
  readonly timeline: string;
  readonly major: number;
  readonly systemIdentifier: string;
  readonly ancestor: { readonly timeline: string; readonly lsn: string } | null;
  readonly generation: number;
  readonly diskConsistentLsn: string;
  readonly lastRecordStart: string;
  readonly created_ms: number;
  readonly layers: readonly LayerJson[];
}

interface LayerJson {
  readonly name: string;
  readonly level: number;
  readonly size: number;
  readonly checksum: number;
}

function toJson(manifest: Manifest): ManifestJson {
  const { ancestor } = manifest;
  return {
    ...manifest,
    ancestor: ancestor === null ? null : { ...ancestor, lsn: formatLsn(ancestor.lsn) },
    diskConsistentLsn: formatLsn(manifest.diskConsistentLsn),
    lastRecordStart: formatLsn(manifest.lastRecordStart),
    layers: manifest.layers.map(({ name, level, size, checksum }) => {
      return { name, level, size, checksum };
    }),
  };
}

/** The checksum has held, so only another version of ours could have written something else. */
function fromJson(json: ManifestJson): Manifest {
  const { ancestor, layers } = json;
  const whole =
    typeof json.timeline === 'string' &&
    typeof json.systemIdentifier === 'string' &&
    [json.major, json.generation, json.created_ms].every(Number.isSafeInteger) &&
    [json.diskConsistentLsn, json.lastRecordStart].every(isLsnText) &&
    (ancestor === null || (typeof ancestor.timeline === 'string' && isLsnText(ancestor.lsn))) &&
    Array.isArray(layers);
  ensure(whole, 'manifest_malformed', { timeline: json.timeline });
  return {
    timeline: json.timeline,
    major: json.major,
    systemIdentifier: json.systemIdentifier,
    ancestor: ancestor && { timeline: ancestor.timeline, lsn: parseLsn(ancestor.lsn) },
    generation: json.generation,
    diskConsistentLsn: parseLsn(json.diskConsistentLsn),
    lastRecordStart: parseLsn(json.lastRecordStart),
    created_ms: json.created_ms,
    layers: layers.map(layerFromJson),
  };
}

function parseJson(body: Uint8Array): ManifestJson {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body));
    ensure(typeof json === 'object' && json !== null, 'manifest_malformed', {});
    return json as ManifestJson;
  } catch (error) {
    throw new Failure('manifest_malformed', { size: body.length }, error);
  }
}

function layerFromJson({ name, level, size, checksum }: LayerJson): LayerDescription {
  const whole =
    (level === 0 || level === 1) && Number.isSafeInteger(size) && Number.isSafeInteger(checksum);
  ensure(whole, 'manifest_malformed', { name });
  return { name, ...parseLayerName(name), level, size, checksum };
}

function isLsnText(text: unknown): boolean {
  return typeof text === 'string' && /^[01]?[0-9A-F]{1,5}\/[0-9A-F]{1,8}$/.test(text);
}

function headOf(body: Uint8Array): string {
  const crc = crc32c(body).toString(16).padStart(8, '0');
  return `STEMMA-MANIFEST ${formatVersion} ${body.length} ${crc}\n`;
}
