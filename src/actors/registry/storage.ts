/** What the `storage` thread can start: whoever keeps pages and answers for them. */
import { pageReader } from '../timeline/page-reader.ts';
import { timeline } from '../timeline/timeline.ts';
import { walReceiver } from '../wal-receiver/wal-receiver.ts';
import { registryOf } from './registry.ts';

export const behaviors = registryOf([pageReader, timeline, walReceiver]);
