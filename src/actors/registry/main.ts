/** What the main thread can start. */
import pLimit from 'p-limit';
import { DirectoryStore } from '../../io/directory-store.ts';
import { api } from '../api/api.ts';
import { archiverOn } from '../archiver/archiver.ts';
import { compute } from '../compute/compute.ts';
import { control } from '../control/control.ts';
import { filesystem } from '../filesystem/filesystem.ts';
import { registryOf } from './registry.ts';

/** Segments that archivers hold in memory: each of these is there twice while it is compared. */
const segmentsAtOnce = 4;
const archiver = archiverOn((folder) => new DirectoryStore(folder), pLimit(segmentsAtOnce));

export const behaviors = registryOf([api, archiver, compute, control, filesystem]);
