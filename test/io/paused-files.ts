/**
 * FolderFiles that stop before one of their operations, as a process does that is killed, or put to
 * sleep, at that moment. A file that is being written then has half of its bytes.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { realFolderFiles, type FolderFiles } from '../../src/io/folder-files.ts';

export interface PausedFiles {
  readonly files: FolderFiles;
  /** Resolves when operation `at` is about to begin. */
  readonly paused: Promise<void>;
  readonly resume: () => void;
}

/** Stops before operation number `at`, or before the first of that name. */
export function pausedFiles(at: number | keyof FolderFiles): PausedFiles {
  const pause = Promise.withResolvers<undefined>();
  const go = Promise.withResolvers<undefined>();
  let begun = 0;
  let done = false;
  function isDue(name: string): boolean {
    const due = !done && (name === at || begun === at);
    begun += 1;
    done ||= due;
    return due;
  }
  const wrapped = Object.entries(realFolderFiles).map(([name, operation]) => [
    name,
    async (...args: unknown[]) => {
      if (isDue(name)) {
        const takeBack = name === 'writeNew' ? writeHalf(...(args as [string, Uint8Array])) : null;
        pause.resolve(undefined);
        await go.promise;
        takeBack?.();
      }
      return (operation as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  return {
    files: Object.fromEntries(wrapped) as FolderFiles,
    paused: pause.promise,
    resume: () => {
      go.resolve(undefined);
    },
  };
}

/** Writes the first half; what it returns takes that away again. */
function writeHalf(path: string, bytes: Uint8Array): () => void {
  try {
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1), { flag: 'wx' });
  } catch {
    return () => undefined; // no folder for it: the operation itself will say so
  }
  return () => {
    rmSync(path, { force: true });
  };
}

/** Every file below `folder`, and its size, in order. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .map((path) => `${path.slice(folder.length + 1)} ${readFileSync(path).length}`)
    .sort();
}
