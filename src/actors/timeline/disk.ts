/**
 * TimelineDisk: what a timeline keeps on disk: `manifest.json` and the layer files it lists. A layer
 * file that the manifest does not list does not exist.
 */
import { join } from 'node:path';
import { Failure } from '../../base/failure.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { readFileIfThere, replaceFile } from '../../io/atomic-file.ts';
import { LayerStore, type LayerFile } from '../../io/layer-store.ts';
import { openDelta } from '../../layers/delta-layer.ts';
import { writeDelta, type LayerSummary } from '../../layers/delta-writer.ts';
import { openImage } from '../../layers/image-layer.ts';
import { formatLayerName, type LayerDescription } from '../../layers/layer-description.ts';
import { LayerMap, type DeltaEntry, type LayerEntry } from '../../layers/layer-map.ts';
import {
  assertSuccessor,
  decodeManifest,
  encodeManifest,
  type Manifest,
} from '../../layers/manifest.ts';
import { OpenLayer } from '../../layers/open-layer.ts';
import { PageCache } from '../../runtime/page-cache.ts';
import { type TimelineOptions } from './protocol.ts';
import { chunkPool, families, storeById } from './shelf.ts';
import { TimelineStore } from './store.ts';

/** One page server: nobody else writes a timeline's files, so their generation never changes. */
export const generation = 1;

export class TimelineDisk {
  readonly layers: LayerStore;
  readonly #options: TimelineOptions;
  readonly #files: LayerFile[] = [];
  readonly #manifestPath: string;
  #manifest: Manifest | null;
  /** For each frozen layer, where the last record in it starts. */
  readonly #lastRecordStarts = new WeakMap<OpenLayer, Lsn>();

  /** Fails with what `decodeManifest` fails with. */
  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#manifestPath = join(options.folder, 'manifest.json');
    this.layers = new LayerStore(join(options.folder, 'layers'));
    const bytes = readFileIfThere(this.#manifestPath);
    this.#manifest = bytes === null ? null : named(this.#manifestPath, () => decodeManifest(bytes));
  }

  get manifest(): Manifest | null {
    return this.#manifest;
  }

  /** Where the timeline's own history begins: its branch point, or what was imported. */
  get startLsn(): Lsn {
    const { ancestor, layers, diskConsistentLsn } = this.#manifest!;
    return ancestor?.lsn ?? layers[0]?.begin ?? diskConsistentLsn;
  }

  /** Opens every layer. Fails, `corrupt`, naming a file that is damaged. */
  load(manifest: Manifest): TimelineStore {
    const { id, number, major, ancestor, pageCache } = this.#options;
    this.layers.keepOnly(manifest.layers.map(({ name }) => name));
    const begin = lsn(manifest.diskConsistentLsn + 1);
    const map = new LayerMap({
      families,
      ancestor: ancestor === null ? null : ancestorView(ancestor),
      open: new OpenLayer({ families, pool: chunkPool, begin }),
      entries: manifest.layers.map((description) => this.#open(description)),
    });
    const cache = new PageCache(pageCache);
    cache.repair(); // this thread's predecessor may have died in the middle of a page
    return new TimelineStore({
      id,
      number,
      major,
      map,
      cache,
      ingestedLsn: manifest.diskConsistentLsn,
      ancestor,
    });
  }

  /** Makes `manifest` what a restart finds. Durable when it returns. */
  save(manifest: Manifest): Manifest {
    if (this.#manifest !== null) assertSuccessor(this.#manifest, manifest);
    replaceFile(this.#manifestPath, encodeManifest(manifest));
    this.#manifest = manifest;
    return manifest;
  }

  /** Ends the open layer with the record that starts at `lastRecordStart` and ends at `end`. */
  freeze(map: LayerMap, end: Lsn, lastRecordStart: Lsn): void {
    this.#lastRecordStarts.set(map.open, lastRecordStart);
    map.freeze(end, new OpenLayer({ families, pool: chunkPool, begin: lsn(end + 1) }));
  }

  /** Makes a file of a frozen layer and lists it; null when the layer is empty. */
  async writeDelta(layer: OpenLayer): Promise<DeltaEntry | null> {
    const description = layer.versionCount === 0 ? null : await this.#writeDelta(layer);
    const manifest = this.#manifest!;
    const layers = description === null ? manifest.layers : [...manifest.layers, description];
    const diskConsistentLsn = lsn(layer.end! - 1);
    const lastRecordStart = this.#lastRecordStarts.get(layer)!;
    this.save({ ...manifest, layers, diskConsistentLsn, lastRecordStart });
    return description === null ? null : (this.#open(description) as DeltaEntry);
  }

  /** Lists a file that adds to what the manifest has, and opens it. */
  list(description: LayerDescription): LayerEntry {
    const manifest = this.#manifest!;
    this.save({ ...manifest, layers: [...manifest.layers, description] });
    return this.#open(description);
  }

  close(): void {
    for (const file of this.#files) file.close();
    this.#files.length = 0;
  }

  /** Writes a file chunk by chunk, so that other work goes on between them. */
  async write(
    chunks: Generator<Uint8Array, LayerSummary>,
    name: (summary: LayerSummary) => Omit<LayerDescription, 'name' | 'size' | 'checksum'>,
  ): Promise<LayerDescription> {
    const writer = await this.layers.begin();
    try {
      let step = chunks.next();
      for (; step.done !== true; step = chunks.next()) await writer.write(step.value);
      const summary = step.value;
      const described = name(summary);
      const description = {
        ...described,
        name: formatLayerName(described),
        size: summary.size,
        checksum: summary.checksum,
      };
      await writer.finish(description.name);
      return description;
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  #writeDelta(layer: OpenLayer): Promise<LayerDescription> {
    const { begin, end } = layer;
    const timeline = Buffer.from(this.#options.id, 'hex');
    const options = { families, timeline, begin, end: end!, sizeMax: Number.MAX_SAFE_INTEGER };
    const chunks = writeDelta(layer.cursor(), options);
    return this.write(chunks, ({ keys }) => {
      return { kind: 'delta', level: 0, keys, begin, end: end!, generation };
    });
  }

  #open(description: LayerDescription): LayerEntry {
    const file = this.layers.open(description.name);
    this.#files.push(file);
    return named(join(this.layers.folder, description.name), () => {
      return description.kind === 'delta'
        ? { kind: 'delta', description, reader: openDelta(file.readAt, file.size, families) }
        : { kind: 'image', description, reader: openImage(file, file.size, families) };
    });
  }
}

/** The ancestor's map as it is when it is looked at: an ancestor that restarts has a new one. */
function ancestorView(ancestor: { readonly timeline: string; readonly lsn: Lsn }): {
  readonly map: LayerMap;
  readonly lsn: Lsn;
} {
  return {
    get map() {
      return storeById(ancestor.timeline).map;
    },
    lsn: ancestor.lsn,
  };
}

/** A failure about a file's content names the file. */
function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, { ...error.values, path }, error);
  }
}
