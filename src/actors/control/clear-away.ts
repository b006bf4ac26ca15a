/**
 * ClearAway: the end of a deleted timeline on a host that has deleted its own part. The last one deletes
 * what the object store has of it: by then nobody is left to make new objects.
 */
import { type ObjectStore } from '../../io/object-store.ts';
import { type ProjectStore } from './project-store.ts';
import { clearedAway, isLastOf } from './project.ts';

interface ClearedPart {
  readonly timeline: string;
  readonly host: string;
}

export async function clearAway(
  projects: ProjectStore,
  store: ObjectStore,
  { timeline, host }: ClearedPart,
): Promise<void> {
  const { deleted } = await projects.change((now) =>
    isLastOf(now, timeline, host) ? now : clearedAway(now, timeline, host),
  );
  if (!deleted.some((one) => one.timeline === timeline && one.hosts.includes(host))) return;
  for (const key of await store.list(`timelines/${timeline}/`)) await store.delete(key);
  await projects.change((now) => clearedAway(now, timeline, host));
}
