/** How control starts the actors of a timeline. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { type Branch, type Project } from '../../../src/actors/control/project.ts';
import { type ControlMessage, type ControlOptions } from '../../../src/actors/control/protocol.ts';
import { Timelines } from '../../../src/actors/control/timelines.ts';
import { type ObjectStore } from '../../../src/io/object-store.ts';
import { type TimelineOptions } from '../../../src/actors/timeline/protocol.ts';
import { type Context } from '../../../src/runtime/actor.ts';

test('timelines: a control that was restarted gives out no number a second time', async () => {
  const numbers: number[] = [];
  const context = {
    spawn: ({ behavior, options }: { behavior: string; options: object }) => {
      if (behavior === 'timeline') numbers.push((options as TimelineOptions).number);
      return Promise.resolve();
    },
    self: { path: 'control/host' },
    ref: (path: string) => ({ path }),
    stop: () => Promise.resolve(),
  } as unknown as Context<ControlMessage>;
  const options = {
    host: 'host',
    hosts: ['host'],
    directory: '/nowhere',
    timeline: {},
  } as unknown as ControlOptions;
  const configuration = { generation: 1, members: ['host'], newMembers: null };
  const birth = { version: 1, startLsn: 1, lastRecordStart: 0, head: '' };
  const store = {
    get: () => Promise.resolve({ bytes: Buffer.from(JSON.stringify(birth)), version: '1' }),
  } as unknown as ObjectStore;
  const ancestor = { timeline: 'b', lsn: 1 };
  const branch = { timeline: 'a', ancestor, configuration, copies: ['host'] } as unknown as Branch;
  const project = { branches: [branch] } as unknown as Project;

  for (let starts = 0; starts < 3; starts += 1)
    await new Timelines(context, options, store).start(project, branch);

  equal(numbers.length, 3);
  equal(new Set(numbers).size, 3);
});
