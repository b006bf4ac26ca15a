/** How control starts the actors of a timeline. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { type Branch, type Project } from '../../../src/actors/control/project.ts';
import { type ControlMessage, type ControlOptions } from '../../../src/actors/control/protocol.ts';
import { Timelines } from '../../../src/actors/control/timelines.ts';
import { type TimelineOptions } from '../../../src/actors/timeline/protocol.ts';
import { type Context } from '../../../src/runtime/actor.ts';

test('timelines: a control that was restarted gives out no number a second time', async () => {
  const numbers: number[] = [];
  const context = {
    spawn: ({ behavior, options }: { behavior: string; options: object }) => {
      if (behavior === 'timeline') numbers.push((options as TimelineOptions).number);
      return Promise.resolve();
    },
  } as unknown as Context<ControlMessage>;
  const options = { directory: '/nowhere', timeline: {} } as unknown as ControlOptions;
  const branch = { timeline: 'a', ancestor: null } as unknown as Branch;
  const project = { branches: [branch] } as unknown as Project;

  for (let starts = 0; starts < 3; starts += 1)
    await new Timelines(context, options).start(project, branch, null);

  equal(new Set(numbers).size, 3);
});
