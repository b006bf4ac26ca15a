/** What the main thread can start. */
import { DirectoryStore } from '../../io/directory-store.ts';
import { api } from '../api/api.ts';
import { archiverOn } from '../archiver/archiver.ts';
import { compute } from '../compute/compute.ts';
import { control } from '../control/control.ts';
import { filesystem } from '../filesystem/filesystem.ts';
import { registryOf } from './registry.ts';

const archiver = archiverOn((folder) => new DirectoryStore(folder));

export const behaviors = registryOf([api, archiver, compute, control, filesystem]);
